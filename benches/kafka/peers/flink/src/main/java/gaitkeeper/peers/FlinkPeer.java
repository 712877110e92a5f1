package gaitkeeper.peers;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** The job in Flink: exactly once, 1 s checkpoints, state on the heap. Arguments: brokers, group, input, output, folder. */
public final class FlinkPeer {
    private FlinkPeer() {}

    public static void main(String[] arguments) throws Exception {
        String brokers = arguments[0], group = arguments[1], input = arguments[2], output = arguments[3], folder = arguments[4];
        Configuration settings = new Configuration();
        settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, Path.of(folder).toUri().toString());
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(Runtime.getRuntime().availableProcessors(), settings);
        environment.enableCheckpointing(1_000, CheckpointingMode.EXACTLY_ONCE);
        environment.getConfig().enableObjectReuse();

        KafkaSource<Event> source = KafkaSource.<Event>builder()
                .setBootstrapServers(brokers)
                .setTopics(input)
                .setGroupId(group)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setValueOnlyDeserializer(new Parse())
                .build();
        Properties producer = new Properties();
        producer.put("compression.type", "lz4");
        // Below what the broker allows, above any pause between two checkpoints.
        producer.put("transaction.timeout.ms", "60000");
        KafkaSink<byte[]> sink = KafkaSink.<byte[]>builder()
                .setBootstrapServers(brokers)
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(group)
                .setKafkaProducerConfig(producer)
                .setRecordSerializer(KafkaRecordSerializationSchema.<byte[]>builder()
                        .setTopic(output)
                        .setValueSerializationSchema(new AsItIs())
                        .build())
                .build();
        environment
                .fromSource(source, WatermarkStrategy.noWatermarks(), "events")
                .keyBy(event -> event.agent)
                .process(new Judge())
                .returns(byte[].class)
                .sinkTo(sink);
        Tally.sayAtEnd(() -> {});
        environment.execute("peer");
    }

    private static final class Parse implements DeserializationSchema<Event> {
        @Override
        public Event deserialize(byte[] message) throws IOException {
            return Event.parse(message);
        }

        @Override
        public boolean isEndOfStream(Event next) {
            return false;
        }

        @Override
        public TypeInformation<Event> getProducedType() {
            return TypeInformation.of(Event.class);
        }
    }

    /** A class of its own, since Flink cannot infer the type of a lambda here. */
    private static final class AsItIs implements SerializationSchema<byte[]> {
        @Override
        public byte[] serialize(byte[] finding) {
            return finding;
        }
    }

    private static final class Judge extends KeyedProcessFunction<String, Event, byte[]> {
        private transient ValueState<AgentModel> agent;

        @Override
        public void open(OpenContext context) {
            agent = getRuntimeContext().getState(new ValueStateDescriptor<>("agent", AgentModel.class));
        }

        @Override
        public void processElement(Event event, Context context, Collector<byte[]> findings) throws IOException {
            AgentModel model = agent.value();
            if (model == null) {
                model = new AgentModel();
            }
            byte[] finding = model.judge(event);
            agent.update(model);
            Tally.count();
            if (finding != null) {
                findings.collect(finding);
            }
        }
    }
}
