//! A small HTTP server: one thread that accepts, one for each of a few connections, each closed after its answer.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::request::Request;

/// Connections served at once; a further one is closed, so that nobody can use up threads from outside.
const CONNECTIONS_MAX: usize = 8;
/// Longest wait for a slow client.
const SLOW: Duration = Duration::from_secs(2);
/// How soon a stop is noticed.
const NAP: Duration = Duration::from_millis(50);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

/// Answers by path.
pub trait Pages: Send + Sync + 'static {
    /// The page at `path`; `None` when there is none.
    fn page(&self, path: &str) -> Option<Page>;
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `listen`.
    ///
    /// # Errors
    /// When the address is taken or is none.
    pub fn start(listen: &str, pages: Arc<dyn Pages>) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let (address, stop) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&stop);
        let thread = thread::Builder::new().name("admin".into()).spawn(move || accept(&listener, &pages, &until))?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed there.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, pages: &Arc<dyn Pages>, stop: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    while !stop.load(Ordering::Relaxed) {
        let Ok((connection, _)) = listener.accept() else {
            thread::sleep(NAP);
            continue;
        };
        if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (pages, served) = (Arc::clone(pages), Arc::clone(&open));
        let spawned = thread::Builder::new().name("admin-client".into()).spawn(move || {
            if let Err(error) = answer(&connection, &*pages) {
                tracing::debug!(%error, "an admin client went away");
            }
            served.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn answer(mut connection: &TcpStream, pages: &dyn Pages) -> io::Result<()> {
    connection.set_nonblocking(false)?;
    connection.set_read_timeout(Some(SLOW))?;
    connection.set_write_timeout(Some(SLOW))?;
    let plain = |status, body: &str| Page { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() };
    let page = match Request::read(connection)? {
        Request::Get(path) => pages.page(&path).unwrap_or_else(|| plain(404, "not found\n")),
        Request::Other => plain(405, "only GET\n"),
    };
    let Page { status, content_type, body } = page;
    let reason = if status < 400 { "OK" } else { "Error" };
    write!(
        connection,
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    connection.flush()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    struct One;

    impl Pages for One {
        fn page(&self, path: &str) -> Option<Page> {
            (path == "/one").then(|| Page { status: 200, content_type: "text/plain", body: "one".into() })
        }
    }

    fn ask(server: &Server, request: &str) -> String {
        let mut connection = TcpStream::connect(server.address()).expect("it listens");
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut said = String::new();
        connection.read_to_string(&mut said).expect("it answers and closes");
        said
    }

    #[track_caller]
    fn check(request: &str, status: &str, body: &str) {
        let server = Server::start("127.0.0.1:0", Arc::new(One)).expect("a free port");
        let said = ask(&server, request);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.ends_with(&format!("\r\n\r\n{body}")), "{said}");
    }

    #[test]
    fn pages_are_served_and_others_are_not_found() {
        check("GET /one HTTP/1.1\r\n\r\n", "200", "one");
        check("GET /two HTTP/1.1\r\n\r\n", "404", "not found\n");
        check("DELETE /one HTTP/1.1\r\n\r\n", "405", "only GET\n");
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let server = Server::start("127.0.0.1:0", Arc::new(One)).expect("a free port");
        let second = Server::start(&server.address().to_string(), Arc::new(One));
        assert_eq!(second.expect_err("taken").kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn silent_clients_do_not_keep_others_out() {
        let server = Server::start("127.0.0.1:0", Arc::new(One)).expect("a free port");
        let _silent: Vec<TcpStream> = (0..CONNECTIONS_MAX - 1).map(|_| TcpStream::connect(server.address()).expect("it listens")).collect();
        assert!(ask(&server, "GET /one HTTP/1.1\r\n\r\n").ends_with("one"));
    }
}
