//! A real Apache Kafka for the tests: one node on loopback, jars through Maven, gone when the test process is gone.
//!
//! A small shell stands between: it waits on a pipe held by this process and kills the broker when the pipe closes, so a panic,
//! an interrupt and even `kill -9` of the tests leave nothing behind.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What the tests and benches run on.
pub const KAFKA_VERSION: &str = "4.4.0";
/// Java 17 is the oldest that this Kafka runs on.
const JAVA_OLDEST: u32 = 17;
/// 16 bytes in URL-safe base64; any will do for one node.
const CLUSTER_ID: &str = "Z2FpdGtlZXBlci10ZXN0cw";
/// A busy machine needs far longer than the usual four seconds.
const START_WITHIN: Duration = Duration::from_mins(5);
/// How long the controller lets a broker be silent: Kafka's own default. A broker that was killed is let in again after that.
pub const SESSION: Duration = Duration::from_secs(9);

/// Kafka brings the logging facade and the back end; the binding between them is missing, and without it there is no log at all.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>gaitkeeper</groupId>
  <artifactId>test-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>@VERSION@</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.5</version>
    </dependency>
  </dependencies>
</project>
"#;

const LOGGING: &str = "\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
logger.start.name = kafka.server.KafkaRaftServer
logger.start.level = INFO
logger.groups.name = org.apache.kafka.coordinator
logger.groups.level = INFO
logger.transactions.name = kafka.coordinator
logger.transactions.level = INFO
";

/// Small internal topics, quick rebalances and quick aborts: what makes tests short. The groups' topic is compacted often, so that a
/// broker that comes back has little to load of it.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:@CONTROLLER@
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER@
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=@DATA@
num.partitions=4
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.segment.bytes=1048576
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=200
group.consumer.session.timeout.ms=6000
group.consumer.heartbeat.interval.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=8388608
log.initial.task.delay.ms=500
log.retention.check.interval.ms=2000
log.segment.delete.delay.ms=1000
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
background.threads=2
broker.session.timeout.ms=@SESSION@
broker.heartbeat.interval.ms=@HEARTBEAT@
";

/// Runs the broker until the word `kill` comes over the pipe or the pipe closes, then kills it; without the word it removes the folder
/// too. Until then it freezes and thaws it by these words. An interrupt reaches every process in the foreground, so it is ignored
/// here: the tests end by it, and that closes the pipe.
const KEEP: &str = r#"trap '' INT; folder=$1; shift; "$@" </dev/null >>"$folder/log" 2>&1 & broker=$!
while read -r word; do case $word in freeze) kill -STOP $broker;; thaw) kill -CONT $broker;; *) break;; esac; done
kill -9 $broker; wait; [ -n "$word" ] || rm -rf "$folder""#;

/// One running broker. Dropping it kills it and removes its data.
pub struct Broker {
    bootstrap: String,
    folder: PathBuf,
    jars: PathBuf,
    keeper: Option<Keeper>,
}

/// The shell that holds the broker.
struct Keeper {
    shell: Child,
}

impl Broker {
    /// The broker shared by all tests of this process; `None` after saying that the calling test is skipped.
    ///
    /// # Panics
    /// When the broker does not start, or is unavailable while `GAITKEEPER_TEST_KAFKA=require`.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<Broker, String>> = OnceLock::new();
        available(SHARED.get_or_init(|| jars().map(|jars| Self::start("shared", &jars, SESSION))).as_ref())
    }

    /// Where clients connect.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Its folder, gone when it is gone.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it said since its first start.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// A broker for one test, as a rule one that kills it.
    pub fn private(name: &str, session: Duration) -> Option<Self> {
        let jars = jars();
        available(jars.as_ref()).map(|jars| Self::start(name, jars, session))
    }

    /// Kills the broker as a crash would; its data stay.
    pub fn kill(&mut self) {
        self.tell("kill");
        let Some(mut keeper) = self.keeper.take() else { return };
        keeper.shell.wait().expect("a child");
    }

    /// Lets it do nothing for a while, as a machine does that is far too busy.
    pub fn freeze(&mut self, length: Duration) {
        self.tell("freeze");
        std::thread::sleep(length);
        self.tell("thaw");
    }

    fn tell(&mut self, word: &str) {
        let Some(keeper) = &mut self.keeper else { return };
        let mut pipe = keeper.shell.stdin.as_ref().expect("piped");
        writeln!(pipe, "{word}").expect("the shell listens");
    }

    /// Starts it again on its port with its data.
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    fn start(name: &str, jars: &Path, session: Duration) -> Self {
        let session_ms = session.as_millis();
        let folder = root().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the target folder is writable");
        let (port, controller) = (free_port(), free_port());
        let properties = PROPERTIES
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER@", &controller.to_string())
            .replace("@SESSION@", &session_ms.to_string())
            .replace("@HEARTBEAT@", &(session_ms / 5).to_string())
            .replace("@DATA@", &folder.join("data").to_string_lossy());
        fs::write(folder.join("server.properties"), properties).expect("the broker's folder is writable");
        fs::write(folder.join("log4j2.properties"), LOGGING).expect("the broker's folder is writable");
        let format = java(&folder, jars)
            .args(["-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(folder.join("server.properties"))
            .output()
            .expect("java runs");
        assert!(format.status.success(), "formatting failed: {}", String::from_utf8_lossy(&format.stdout));
        let mut broker = Self { bootstrap: format!("127.0.0.1:{port}"), folder, jars: jars.to_owned(), keeper: None };
        broker.launch();
        broker
    }

    fn launch(&mut self) {
        let log = self.log();
        let before = starts(&log);
        let mut command = Command::new("sh");
        command.arg("-c").arg(KEEP).arg("broker").arg(&self.folder);
        let server = java(&self.folder, &self.jars);
        command.arg(server.get_program()).args(server.get_args());
        command.args(["-Xms512m", "-Xmx512m", "kafka.Kafka"]).arg(self.folder.join("server.properties"));
        let shell = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs");
        self.keeper = Some(Keeper { shell });
        let since = Instant::now();
        while starts(&log) == before {
            assert!(since.elapsed() < START_WITHIN, "the broker is not ready in time: {}", fs::read_to_string(&log).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.shell.stdin.take());
            let _ = keeper.shell.wait();
        }
    }
}

/// Says that the calling test is skipped, or fails it when skipping is not allowed.
fn available<T>(found: Result<T, &String>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(reason) => {
            let required = std::env::var("GAITKEEPER_TEST_KAFKA").is_ok_and(|value| value == "require");
            assert!(!required, "a real Kafka is required: {reason}");
            let thread = std::thread::current();
            // Straight to the descriptor: the test harness would keep a print of a passing test to itself.
            let _ = writeln!(std::io::stderr(), "skipped: {}: {reason}", thread.name().unwrap_or("a test"));
            None
        }
    }
}

/// How often the broker has been let into its cluster; Kafka logs this line after it.
fn starts(log: &Path) -> usize {
    let Ok(file) = File::open(log) else { return 0 };
    BufReader::new(file).lines().map_while(Result::ok).filter(|line| line.contains("Kafka Server started")).count()
}

fn java(folder: &Path, jars: &Path) -> Command {
    let mut command = Command::new("java");
    command
        .args(["-Xshare:auto", "-XX:+UseSerialGC", "-Djava.awt.headless=true"])
        .arg(format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.properties").display()))
        .arg("-cp")
        .arg(jars.join("*"));
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kafka")
}

/// The folder with the broker's jars, filled through Maven the first time; an `Err` says why there is none.
fn jars() -> Result<PathBuf, String> {
    match java_version() {
        None => return Err("no `java` here".into()),
        Some(version) if version < JAVA_OLDEST => return Err(format!("java {version} is here, Kafka needs {JAVA_OLDEST}")),
        Some(_) => (),
    }
    let jars = root().join(format!("lib-{KAFKA_VERSION}"));
    let complete = jars.join(".complete");
    fs::create_dir_all(&jars).map_err(|error| error.to_string())?;
    let lock = File::create(jars.join(".lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if complete.exists() {
        return Ok(jars);
    }
    fs::write(jars.join("pom.xml"), POM.replace("@VERSION@", KAFKA_VERSION)).map_err(|error| error.to_string())?;
    let fetched = Command::new("mvn")
        .args(["-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", jars.display()))
        .current_dir(&jars)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`mvn` does not run: {error}"))?;
    if !fetched.status.success() {
        return Err(format!("mvn could not fetch Kafka: {}", String::from_utf8_lossy(&fetched.stdout).trim()));
    }
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(jars)
}

fn java_version() -> Option<u32> {
    let output = Command::new("java").arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.split('"').nth(1)?.split('.').next()?.parse().ok()
}

/// A port that nothing listens on, below the range from which client sockets are given theirs: one of them could take it before
/// the broker does.
fn free_port() -> u16 {
    let below: u16 = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768);
    let from = below.saturating_sub(12_000).max(1_024);
    // The hasher's own seed differs between processes, so that two of them do not try the same ports.
    let seed = RandomState::new().build_hasher().finish();
    for step in 0..u64::from(below - from) {
        let port = from + u16::try_from((seed.wrapping_add(step)) % u64::from(below - from)).expect("below 65,536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {from} and {below}");
}
