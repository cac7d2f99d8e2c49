//! Owns the tests of limits: sizes, counts, and what is told to whom goes beyond them.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::client::{get, json, raw, send};
use crate::fake::Served;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_body_has_a_largest_size_however_it_is_sent() {
    let served = Served::new().await;
    let fits = " ".repeat(MIB - 2) + "{}";
    assert_eq!(json(served.address, "POST", "/v1/apps", &fits).await.status, 201);
    let got = json(served.address, "POST", "/v1/apps", &(fits.clone() + " ")).await;
    assert_eq!(got.status, 413);
    assert!(got.problem().contains("1048576"), "{got:?}");
    assert_eq!(json(served.address, "POST", "/v1/apps", &" ".repeat(10 * MIB)).await.status, 413);
    let head =
        "POST /v1/apps HTTP/1.1\r\nhost: swan\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let chunk = format!("80000\r\n{}\r\n", "x".repeat(512 * 1024));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(3));
    assert_eq!(raw(served.address, chunked.as_bytes()).await.status, 413);
    let announced = format!("{head}content-length: 99999999999\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(raw(served.address, announced.as_bytes()).await.status, 413);
    assert_eq!(served.state().asked.len(), 1);
}

#[tokio::test]
async fn heads_have_a_largest_size() {
    let served = Served::new().await;
    let at = served.address;
    assert_eq!(get(at, &format!("/v1/apps/{}", "a".repeat(8000))).await.status, 404);
    let long = get(at, &format!("/v1/apps/{}", "a".repeat(8200))).await;
    assert_eq!(long.status, 414);
    assert!(long.problem().contains("8192"));
    assert!([414, 431].contains(&get(at, &format!("/{}", "a".repeat(100_000))).await.status));
    let many: Vec<String> = (0..1000).map(|n| format!("x-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(send(at, "GET", "/ping", &many, "").await.status, 431);
    assert_eq!(send(at, "GET", "/ping", &[&format!("x: {}", "1".repeat(MIB))], "").await.status, 431);
    assert_eq!(send(at, "GET", "/ping", &[&format!("x: {}", "1".repeat(15_000))], "").await.status, 200);
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let served = Served::new().await;
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(TcpStream::connect(served.address).await.expect("the server listens"));
    }
    let mut beyond = TcpStream::connect(served.address).await.expect("the server listens");
    // Closed without a word, be it orderly or not.
    assert_eq!(beyond.read(&mut [0]).await.unwrap_or(0), 0);
    drop(open);
    loop {
        let mut stream = TcpStream::connect(served.address).await.expect("the server listens");
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /ping HTTP/1.0\r\n\r\n")
            .await
            .expect("written");
        if stream.read(&mut [0]).await.unwrap_or(0) == 1 {
            break;
        }
    }
}
