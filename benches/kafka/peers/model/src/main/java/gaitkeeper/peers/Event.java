package gaitkeeper.peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** The fields of an agent's action that the model looks at. Public fields and an empty constructor make it a POJO for Flink. */
public final class Event {
    private static final JsonFactory JSON = new JsonFactory();

    public String id;
    public String agent;
    public String tool;
    /** Bytes sent, bytes received, milliseconds; negative where the event does not say. */
    public double[] sizes = {-1, -1, -1};

    /** Reads one JSON object; unknown fields are passed over. */
    public static Event parse(byte[] json) throws IOException {
        Event event = new Event();
        try (JsonParser parser = JSON.createParser(json)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (name) {
                    case "event_id" -> event.id = parser.getText();
                    case "agent_id" -> event.agent = parser.getText();
                    case "tool" -> event.tool = parser.getText();
                    case "bytes_out" -> event.sizes[0] = parser.getDoubleValue();
                    case "bytes_in" -> event.sizes[1] = parser.getDoubleValue();
                    case "duration_ms" -> event.sizes[2] = parser.getDoubleValue();
                    default -> {
                        if (value.isStructStart()) {
                            parser.skipChildren();
                        }
                    }
                }
            }
        }
        return event;
    }
}
