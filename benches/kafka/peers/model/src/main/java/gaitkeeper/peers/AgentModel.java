package gaitkeeper.peers;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One agent's past: mean and spread of the logarithms of its sizes and durations, and how often each tool followed each other.
 *
 * <p>Public fields and an empty constructor make it a POJO for Flink, which keeps the object; Kafka Streams keeps its bytes.
 */
public final class AgentModel {
    private static final int SIZES = 3;
    /** Fewer events than this say nothing of an agent. */
    private static final long WARM = 30;
    private static final double Z_ALERT = 4;
    /** A spread below this is taken for this, so that a perfectly regular agent does not alert on its first jitter. */
    private static final double SPREAD_FLOOR = 0.05;
    /** An unseen pair of tools counts once the first of them was followed this often. */
    private static final int FOLLOWED_ENOUGH = 200;

    public long seen;
    public double[] counts = new double[SIZES];
    public double[] means = new double[SIZES];
    /** Sums of squared distances from the mean. */
    public double[] squares = new double[SIZES];
    public String[] tools = {};
    /** How often the column's tool followed the row's. */
    public int[] followed = {};
    /** Index of the tool before, −1 at the beginning. */
    public int previous = -1;

    /** Scores an event by what came before it, then learns from it. Returns a finding as JSON, or null. */
    public byte[] judge(Event event) {
        StringBuilder reasons = new StringBuilder();
        for (int size = 0; size < SIZES; size++) {
            if (event.sizes[size] >= 0) {
                double z = measure(size, Math.log1p(event.sizes[size]));
                if (seen >= WARM && Math.abs(z) > Z_ALERT) {
                    reasons.append(reasons.isEmpty() ? "" : ",").append("{\"size\":").append(size).append(",\"z\":").append(z).append('}');
                }
            }
        }
        if (event.tool != null && isOddStep(event.tool)) {
            reasons.append(reasons.isEmpty() ? "" : ",").append("{\"step\":\"").append(event.tool).append("\"}");
        }
        seen++;
        if (reasons.isEmpty()) {
            return null;
        }
        String finding = "{\"agent_id\":\"" + event.agent + "\",\"event_id\":\"" + event.id + "\",\"reasons\":[" + reasons + "]}";
        return finding.getBytes(StandardCharsets.UTF_8);
    }

    /** Distance from the mean in spreads; then the value counts (Welford). */
    private double measure(int size, double value) {
        double spread = Math.max(Math.sqrt(squares[size] / Math.max(counts[size] - 1, 1)), SPREAD_FLOOR);
        double z = (value - means[size]) / spread;
        counts[size]++;
        double before = value - means[size];
        means[size] += before / counts[size];
        squares[size] += before * (value - means[size]);
        return z;
    }

    /** Whether the tool has never followed the one before, on enough evidence; then the step counts. */
    private boolean isOddStep(String tool) {
        int next = indexOf(tool);
        boolean odd = false;
        if (previous >= 0) {
            int row = previous * tools.length;
            odd = followed[row + next] == 0 && Arrays.stream(followed, row, row + tools.length).sum() >= FOLLOWED_ENOUGH;
            followed[row + next]++;
        }
        previous = next;
        return odd;
    }

    private int indexOf(String tool) {
        for (int index = 0; index < tools.length; index++) {
            if (tools[index].equals(tool)) {
                return index;
            }
        }
        int old = tools.length;
        int[] grown = new int[(old + 1) * (old + 1)];
        for (int row = 0; row < old; row++) {
            System.arraycopy(followed, row * old, grown, row * (old + 1), old);
        }
        followed = grown;
        tools = Arrays.copyOf(tools, old + 1);
        tools[old] = tool;
        return old;
    }

    /** The state as bytes. */
    public byte[] toBytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeLong(seen);
            for (double[] numbers : new double[][] {counts, means, squares}) {
                for (double number : numbers) {
                    out.writeDouble(number);
                }
            }
            out.writeByte(previous);
            out.writeByte(tools.length);
            for (String tool : tools) {
                out.writeUTF(tool);
            }
            for (int count : followed) {
                out.writeInt(count);
            }
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return bytes.toByteArray();
    }

    /** The state that {@link #toBytes} wrote. */
    public static AgentModel fromBytes(byte[] bytes) {
        AgentModel model = new AgentModel();
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            model.seen = in.readLong();
            for (double[] numbers : new double[][] {model.counts, model.means, model.squares}) {
                for (int index = 0; index < SIZES; index++) {
                    numbers[index] = in.readDouble();
                }
            }
            model.previous = in.readByte();
            model.tools = new String[in.readByte()];
            for (int index = 0; index < model.tools.length; index++) {
                model.tools[index] = in.readUTF();
            }
            model.followed = new int[model.tools.length * model.tools.length];
            for (int index = 0; index < model.followed.length; index++) {
                model.followed[index] = in.readInt();
            }
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
        return model;
    }
}
