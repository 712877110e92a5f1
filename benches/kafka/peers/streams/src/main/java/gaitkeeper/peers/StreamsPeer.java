package gaitkeeper.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The job in Kafka Streams: exactly once, 100 ms commits, state in memory with a changelog. Arguments: brokers, group, input, output, folder. */
public final class StreamsPeer {
    private static final String STORE = "agents";

    private StreamsPeer() {}

    public static void main(String[] arguments) {
        String brokers = arguments[0], group = arguments[1], input = arguments[2], output = arguments[3], folder = arguments[4];
        Serde<AgentModel> models =
                Serdes.serdeFrom((topic, model) -> model == null ? null : model.toBytes(), (topic, bytes) -> bytes == null ? null : AgentModel.fromBytes(bytes));
        Topology topology = new Topology();
        topology.addSource("events", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), input);
        topology.addProcessor("judge", Judge::new, "events");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(STORE), Serdes.String(), models).withCachingEnabled(), "judge");
        topology.addSink("findings", output, Serdes.String().serializer(), Serdes.ByteArray().serializer(), "judge");

        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, group);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        KafkaStreams streams = new KafkaStreams(topology, settings);
        Tally.sayAtEnd(() -> streams.close(Duration.ofSeconds(10)));
        streams.start();
    }

    private static final class Judge implements Processor<String, byte[], String, byte[]> {
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, AgentModel> agents;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            agents = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Event event;
            try {
                event = Event.parse(record.value());
            } catch (IOException unreadable) {
                throw new UncheckedIOException(unreadable);
            }
            AgentModel model = agents.get(event.agent);
            if (model == null) {
                model = new AgentModel();
            }
            byte[] finding = model.judge(event);
            agents.put(event.agent, model);
            Tally.count();
            if (finding != null) {
                context.forward(record.withValue(finding));
            }
        }
    }
}
