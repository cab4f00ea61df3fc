//! The same over TLS, with a certificate that the test made.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use lastmile_hyper::{ServeLimits, serve_tls};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use crate::client::{Client, PATIENCE, wait_until};
use crate::server::{GET, Running, patient};

type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

struct Tls {
    running: Running,
    certificate: CertificateDer<'static>,
}

impl Tls {
    fn start(limits: ServeLimits) -> Self {
        let made =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it is made");
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("the key is the certificate's");
        let running =
            Running::in_order(|listener, handlers| serve_tls(listener, config, handlers, limits));
        Self { running, certificate }
    }

    fn connect(&self, protocols: &[&str]) -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a right config");
        let stream = self.running.connect().stream;
        Client::over(StreamOwned::new(connection, stream))
    }
}

#[test]
fn requests_are_answered() {
    let tls = Tls::start(patient());
    for (offered, agreed) in [
        (&["http/1.1"][..], Some(&b"http/1.1"[..])),
        (&["h2", "http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let mut client = tls.connect(offered);
        for request in [GET, "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"] {
            client.ask(request).check(200, "hello");
        }
        assert_eq!(client.stream.conn.alpn_protocol(), agreed, "{offered:?}");
        // The end is said, and not only cut.
        client.ask("GET /hello HTTP/1.0\r\n\r\n").check(200, "hello");
        let (rest, end) = client.rest();
        assert!(rest.is_empty() && end.is_ok(), "{end:?}");
    }
    // The answer to a body that is still being sent can be read here too.
    let refused = "POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let mut client = tls.connect(&[]);
    client.ask(refused.to_owned() + &"x".repeat(1_000_000)).check(413, "too large");
    let counts = tls.running.server.counts();
    assert_eq!((counts.accepted, counts.handshake_failures), (4, 0));
}

#[test]
fn handshakes_fail_and_end() {
    let tls = Tls::start(patient());
    let mut plain = tls.running.connect();
    plain.send(GET);
    let (alert, _) = plain.rest();
    assert_eq!(alert.first(), Some(&21), "an alert, and no HTTP");
    let mut unknown = tls.connect(&["h2"]);
    assert!(std::io::Write::write_all(&mut unknown.stream, GET.as_bytes()).is_err());
    drop(tls.running.connect());
    tls.running.wait_for("all failed", |counts| counts.handshake_failures == 3);

    let short = Duration::from_millis(150);
    let tls = Tls::start(patient().handshake(short));
    let mut silent = tls.running.connect();
    silent.ended();
    let mut slow = tls.running.connect();
    slow.send([22, 3, 1]);
    slow.ended();
    tls.running.wait_for("both were late", |counts| counts.handshake_timeouts == 2);
    tls.connect(&[]).ask(GET).check(200, "hello");
    assert_eq!(tls.running.server.counts().handshake_failures, 0);
}

#[test]
fn its_connections_have_the_same_limits() {
    let short = Duration::from_millis(150);
    let tls = Tls::start(patient().idle(short).write(short).connections_per_prefix(1));
    let mut client = tls.connect(&[]);
    client.ask(GET).check(200, "hello");
    tls.running.connect().ended();
    tls.running.wait_for("it was idle", |counts| counts.idle_timeouts == 1 && counts.active == 0);
    let mut client = tls.connect(&[]);
    client.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n");
    tls.running.wait_for("nobody read", |counts| counts.write_timeouts == 1 && counts.active == 0);
    assert_eq!(tls.running.server.counts().refused_by_prefix, 1);
}

#[test]
fn it_stops_with_handshakes_under_way() {
    let tls = Tls::start(patient());
    let mut silent = tls.running.connect();
    let mut client = tls.connect(&[]);
    client.ask(GET).check(200, "hello");
    client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    tls.connect(&[]).ask(GET).check(200, "hello");
    let server = tls.running.server.clone();
    let stopping = tls.running.runtime.spawn(async move { server.stop(PATIENCE).await });
    wait_until("the listener closes", || TcpStream::connect(tls.running.address).is_err());
    silent.ended();
    tls.running.gate.add_permits(1);
    client.answer(false).check(200, "waited");
    assert_eq!(tls.running.runtime.block_on(stopping).expect("it does not panic"), 0);
}
