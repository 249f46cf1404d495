//! A small HTTP server for tests: it answers each request as a function says, and closes each connection.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part of this

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What a client asks for.
pub struct Request {
    /// With what follows a `?`.
    pub path: String,
    /// The range of bytes, if it asks for one.
    pub range: Option<Range<u64>>,
    /// The value of `Authorization`.
    pub login: Option<String>,
    /// Number of the request, from 0.
    pub number: usize,
}

/// What the server sends.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which the connection is cut.
    pub cut: Option<usize>,
}

impl Reply {
    /// Only a status.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None }
    }

    /// A whole file, without ranges.
    pub fn whole(bytes: &[u8]) -> Self {
        let headers = vec![("Content-Length", bytes.len().to_string())];
        Self { status: 200, headers, body: bytes.to_vec(), cut: None }
    }

    /// What is asked for of a file.
    pub fn part(request: &Request, bytes: &[u8], etag: &str) -> Self {
        let Some(range) = &request.range else { return Self::whole(bytes) };
        let length = bytes.len() as u64;
        if range.start >= length {
            return Self::status(416);
        }
        let end = range.end.min(length);
        let body = bytes[range.start as usize..end as usize].to_vec();
        let headers = vec![
            ("Content-Length", body.len().to_string()),
            ("Content-Range", format!("bytes {}-{}/{length}", range.start, end - 1)),
            ("ETag", format!("\"{etag}\"")),
        ];
        Self { status: 206, headers, body, cut: None }
    }

    /// Cuts the connection within the body.
    pub fn cut_after(self, bytes: usize) -> Self {
        Self { cut: Some(bytes), ..self }
    }
}

/// A running server; its threads end with the process.
pub struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers every request with what `reply` makes of it.
    pub fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (requests, paths) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let server = Self { address, requests: Arc::clone(&requests), paths: Arc::clone(&paths) };
        let reply = Arc::new(reply);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reply, requests, paths) = (Arc::clone(&reply), Arc::clone(&requests), Arc::clone(&paths));
                std::thread::spawn(move || {
                    let Some(mut request) = read_request(&stream) else { return };
                    request.number = requests.fetch_add(1, Ordering::SeqCst);
                    paths.lock().unwrap().push(request.path.clone());
                    let _ = send(&stream, &reply(&request));
                });
            }
        });
        server
    }

    /// Files by their paths, with ranges; anything else is not there.
    pub fn of_files(files: Vec<(&'static str, Vec<u8>)>) -> Self {
        Self::start(move |request| {
            let path = request.path.split('?').next().unwrap();
            match files.iter().find(|(name, _)| *name == path) {
                Some((_, bytes)) => Reply::part(request, bytes, "1"),
                None => Reply::status(404),
            }
        })
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Machine and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn read_request(stream: &std::net::TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut request = Request { path, range: None, login: None, number: 0 };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (first, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
                request.range = Some(first.parse().ok()?..last.parse::<u64>().map_or(u64::MAX, |last| last + 1));
            }
            "authorization" => request.login = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    Some(request)
}

fn send(mut stream: &std::net::TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} test\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let length_stated = reply.headers.iter().any(|(name, _)| *name == "Content-Length" || *name == "Content-Type");
    let rest = if length_stated { "\r\n" } else { "Content-Length: 0\r\n\r\n" };
    stream.write_all((head + rest).as_bytes())?;
    stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])?;
    stream.flush()
}
