//! What arrives as bytes: messages that two readers could take apart differently.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The status line's code of each answer on one connection.
async fn statuses(address: SocketAddr, sent: &[u8]) -> Vec<String> {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
    // Until the server closes, or has answered and waits for more.
    while let Ok(Ok(read @ 1..)) =
        tokio::time::timeout(Duration::from_millis(200), stream.read(&mut chunk)).await
    {
        answer.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8_lossy(&answer)
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|rest| rest.chars().take(3).collect())
        .collect()
}

// covers: GW-25
#[tokio::test]
async fn smuggled_requests_are_refused() {
    let world = world(None, false).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = stoa_kernel::http::ServeOptions::default();
    tokio::spawn(stoa_kernel::http::serve(
        listener,
        world.router.clone(),
        options,
        world.stop.clone(),
    ));

    let many = format!(
        "GET /public/hello HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "a: b\r\n".repeat(101)
    );
    let cases: [(&str, &str, &[&str]); 15] = [
        ("plain", "GET /public/hello HTTP/1.1\r\nHost: x\r\n\r\n", &["200"]),
        ("no host", "GET /public/hello HTTP/1.1\r\n\r\n", &["400"]),
        (
            "two hosts",
            "GET /public/hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            &["400"],
        ),
        (
            "two lengths",
            "POST /public/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            &["400"],
        ),
        (
            "signed length",
            "POST /public/echo HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
            &["400"],
        ),
        (
            "not chunked last",
            "POST /public/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            &["400"],
        ),
        (
            "1.0 chunked",
            "POST /public/echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &["400"],
        ),
        (
            "folded",
            "GET /public/hello HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            &["400"],
        ),
        (
            "space before colon",
            "GET /public/hello HTTP/1.1\r\nHost : x\r\n\r\n",
            &["400"],
        ),
        (
            "bare CR",
            "GET /public/hello HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
            &["400"],
        ),
        (
            "NUL",
            "GET /public/hello HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
            &["400"],
        ),
        // Both lengths: chunked holds, and the connection closes before the second request (RFC 9112, section 6.1).
        (
            "CL.TE",
            "POST /public/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /public/hello HTTP/1.1\r\nHost: x\r\n\r\n",
            &["200"],
        ),
        (
            "TE.CL",
            "POST /public/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /public/hello HTTP/1.1\r\nHost: x\r\n\r\n",
            &["200"],
        ),
        (
            "pipelined",
            "GET /public/hello HTTP/1.1\r\nHost: x\r\n\r\nGET /public/hello HTTP/1.1\r\nHost: x\r\n\r\n",
            &["200", "200"],
        ),
        ("many", &many, &["431"]),
    ];
    for (what, sent, expected) in cases {
        assert_eq!(statuses(address, sent.as_bytes()).await, expected, "{what}");
    }
}
