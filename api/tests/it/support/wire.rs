//! A proxy that records the statements that are sent to Postgres, one for each round trip.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A proxy in front of Postgres that records every statement.
pub(crate) struct WireTap {
    url: Url,
    statements: Arc<Mutex<Vec<String>>>,
}

/// The code of an SSLRequest, in place of a protocol version.
const SSL_REQUEST: u32 = 80_877_103;

impl WireTap {
    /// A proxy in front of the server of a URL such as `postgres://role@host:5432/database`.
    pub(crate) async fn before(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let statements = Arc::new(Mutex::new(Vec::new()));
        let log = statements.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, log) = (TcpStream::connect(&upstream).await.unwrap(), log.clone());
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                tokio::spawn(forward(from_client, to_server, log));
            }
        });
        Self { url, statements }
    }

    /// The URL of the server with the address of the proxy.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The round trips since the last call, in short: `INSERT orders`, `SELECT users`, `BEGIN`, `prepare`, `ping`.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.statements.lock().unwrap())
    }
}

/// Forwards the client's messages, and records their statements.
async fn forward(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, log: Arc<Mutex<Vec<String>>>) {
    let (mut started, mut parsed, mut prepared, mut bound) = (false, false, HashMap::new(), None);
    while let Ok((kind, message)) = read_message(&mut client, started).await {
        if server.write_all(&message).await.is_err() {
            return;
        }
        let body = &message[if started { 5 } else { 4 }..];
        match kind {
            None => started = body[..4] != SSL_REQUEST.to_be_bytes(),
            Some(b'Q') => log.lock().unwrap().push(in_short(&texts(body)[0])),
            Some(b'P') => {
                let texts = texts(body);
                prepared.insert(texts[0].clone(), texts[1].clone());
                parsed = true;
            }
            // Bind names the portal first and then the prepared statement.
            Some(b'B') => bound = prepared.get(&texts(body)[1]).cloned(),
            // The client now waits for a response: to a statement, to a Parse, or to a lone Sync, which is how the
            // pool checks a connection.
            Some(b'S') => {
                let check = if parsed { "prepare" } else { "ping" };
                let waited_for = bound.take().map_or(check.to_owned(), |sql: String| in_short(&sql));
                log.lock().unwrap().push(waited_for);
                parsed = false;
            }
            Some(_) => {}
        }
    }
}

/// One message with its header. Messages of the start-up phase have no type byte.
async fn read_message(client: &mut OwnedReadHalf, started: bool) -> std::io::Result<(Option<u8>, Vec<u8>)> {
    let mut message = Vec::new();
    let kind = if started { Some(client.read_u8().await?) } else { None };
    message.extend(kind);
    let length = client.read_u32().await?;
    message.extend(length.to_be_bytes());
    let head = message.len();
    message.resize(head + length as usize - 4, 0);
    client.read_exact(&mut message[head..]).await?;
    Ok((kind, message))
}

/// The first two zero-terminated strings of a message.
fn texts(body: &[u8]) -> Vec<String> {
    let parts = body.split(|byte| *byte == 0).take(2);
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// The verb and the table of a statement, or of each part of a statement that writes to several; all tables of a query; the whole
/// statement, if it selects from no table.
fn in_short(sql: &str) -> String {
    if sql.starts_with("WITH ") {
        let parts = sql.split(" AS (").skip(1).map(in_short);
        return parts.collect::<Vec<_>>().join(", ");
    }
    // A read that binds itself to a tenant: the query is in its last lateral join, after the lookup of the caller.
    if let Some((_, query)) = sql.rsplit_once(" LEFT JOIN LATERAL (") {
        return in_short(query);
    }
    let words: Vec<_> = sql.split([' ', '\n']).filter(|word| !word.is_empty()).collect();
    let after = |keyword: &str| {
        let found = words.iter().position(|word| *word == keyword).map(|position| words[position + 1]);
        found.unwrap_or_default().replace('"', "")
    };
    match words[0] {
        "SELECT" if !words.contains(&"FROM") => sql.to_owned(),
        "SELECT" => {
            let tables = words.windows(2).filter(|pair| ["FROM", "JOIN"].contains(&pair[0]));
            let tables =
                tables.map(|pair| pair[1].replace(['"', ')'], "")).filter(|table| !table.starts_with('('));
            format!("SELECT {}", unique(tables).join(", "))
        }
        "INSERT" => format!("INSERT {}", after("INTO")),
        "UPDATE" => format!("UPDATE {}", after("UPDATE")),
        verb => verb.trim_end_matches(';').to_owned(),
    }
}

/// The items in their order, each once.
fn unique(items: impl Iterator<Item = String>) -> Vec<String> {
    let mut unique = Vec::new();
    for item in items {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    unique
}
