//! Owns ZooKeeper ensembles: real servers on loopback, each a process that can be killed, frozen and started again.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where Debian's package `zookeeper` has it.
const CLASS_PATH: &str = "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar";
const JARS: &str = "/usr/share/java";
const MAIN: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
/// Long enough for a JVM on a busy machine.
const START: Duration = Duration::from_secs(60);

/// An ensemble; its servers and data go with it.
#[derive(Debug)]
pub struct Ensemble {
    directory: PathBuf,
    servers: Vec<Server>,
    /// The largest heap of a server, as java takes it.
    heap: String,
}

#[derive(Debug)]
struct Server {
    client: u16,
    directory: PathBuf,
    process: Option<Child>,
}

impl Ensemble {
    /// Starts so many servers, and returns when they serve. `name` tells tests of one program apart.
    pub fn start(name: &str, servers: usize) -> Self {
        Self::start_with(name, servers, "-Xmx256m")
    }

    /// As [`Self::start`], each server with this heap: `-Xmx4g`.
    pub fn start_with(name: &str, servers: usize, heap: &str) -> Self {
        Self::configured(name, servers, heap, None)
    }

    /// Starts one server that also speaks TLS, with this key and certificate in PEM; beside it, where it does.
    pub fn start_secure(name: &str, identity: &str) -> (Self, SocketAddr) {
        let [port, ..] = free_ports();
        (Self::configured(name, 1, "-Xmx256m", Some((port, identity))), (Ipv4Addr::LOCALHOST, port).into())
    }

    fn configured(name: &str, servers: usize, heap: &str, secure: Option<(u16, &str)>) -> Self {
        let directory = std::env::temp_dir().join(format!("swan-zookeeper-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let ports: Vec<[u16; 3]> = (0..servers).map(|_| free_ports()).collect();
        let mut quorum = String::new();
        for (id, [_, peer, election]) in ports.iter().enumerate().filter(|_| servers > 1) {
            writeln!(quorum, "server.{id}=127.0.0.1:{peer}:{election}").expect("strings grow");
        }
        let mut ensemble = Self { directory, servers: Vec::new(), heap: heap.to_owned() };
        for (id, [client, ..]) in ports.into_iter().enumerate() {
            let directory = ensemble.directory.join(id.to_string());
            fs::create_dir_all(directory.join("data")).expect("a directory for a server");
            let more = secure.map(|(port, identity)| write_identity(&directory, port, identity));
            write_configuration(&directory, id, client, &(quorum.clone() + &more.unwrap_or_default()));
            ensemble.servers.push(Server { client, directory, process: None });
        }
        (0..servers).for_each(|server| ensemble.revive(server));
        ensemble.wait();
        ensemble
    }

    /// `127.0.0.1:PORT` of each server, with commas.
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> =
            (0..self.servers.len()).map(|server| self.address(server).to_string()).collect();
        addresses.join(",")
    }

    /// Where a server listens for clients.
    pub fn address(&self, server: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.servers[server].client).into()
    }

    /// SIGKILL to a server.
    pub fn kill(&mut self, server: usize) {
        if let Some(mut process) = self.servers[server].process.take() {
            // It may have ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts a server that was killed; [`Self::wait`] tells when it serves.
    pub fn revive(&mut self, server: usize) {
        let Server { directory, process, .. } = &mut self.servers[server];
        let log =
            fs::File::options().create(true).append(true).open(directory.join("log")).expect("a log file");
        let started = Command::new("java")
            .args([&self.heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &class_path(), MAIN])
            .arg(directory.join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn();
        *process = Some(started.expect("java and zookeeper are installed: tests/run does it"));
    }

    /// Waits until every server that was not killed serves clients.
    pub fn wait(&self) {
        for server in self.servers.iter().filter(|server| server.process.is_some()) {
            let began = Instant::now();
            while !server.serves() {
                let log = fs::read_to_string(server.directory.join("log")).unwrap_or_default();
                assert!(began.elapsed() < START, "a ZooKeeper server does not serve:\n{log}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// Which server leads the ensemble; `None` while there is none.
    pub fn leader(&self) -> Option<usize> {
        self.servers.iter().position(|server| server.says("srvr").contains("Mode: leader"))
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        (0..self.servers.len()).for_each(|server| self.kill(server));
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

impl Server {
    /// A server without quorum answers, but does not tell its mode.
    fn serves(&self) -> bool {
        self.says("srvr").contains("Mode: ")
    }

    /// The answer to a command of four letters; empty if there is none.
    fn says(&self, word: &str) -> String {
        let ask = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.client))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(word.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        ask().unwrap_or_default()
    }
}

fn write_configuration(directory: &Path, id: usize, client: u16, quorum: &str) {
    let data = directory.join("data");
    fs::write(data.join("myid"), id.to_string()).expect("the server's number");
    let text = format!(
        "tickTime=500\ninitLimit=20\nsyncLimit=6\ndataDir={}\nclientPort={client}\nclientPortAddress=127.0.0.1\n\
         admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=srvr\n{quorum}",
        data.display()
    );
    fs::write(directory.join("zoo.cfg"), text).expect("the server's configuration");
}

/// What a server needs to speak TLS.
fn write_identity(directory: &Path, port: u16, identity: &str) -> String {
    let path = directory.join("identity.pem");
    fs::write(&path, identity).expect("the server's certificate");
    let path = path.display();
    format!(
        "secureClientPort={port}\nsecureClientPortAddress=127.0.0.1\n\
         serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\nssl.clientAuth=none\n\
         ssl.keyStore.location={path}\nssl.keyStore.type=PEM\nssl.trustStore.location={path}\nssl.trustStore.type=PEM\n"
    )
}

/// Debian's own class path leaves out a part of netty that TLS needs.
fn class_path() -> String {
    let jars =
        fs::read_dir(JARS).into_iter().flatten().filter_map(|jar| jar.ok()?.file_name().into_string().ok());
    let netty =
        jars.filter(|name| name.starts_with("netty-") && name.ends_with(".jar") && !name.contains("-4."));
    netty.fold(CLASS_PATH.to_owned(), |path, name| format!("{path}:{JARS}/{name}"))
}

/// Ports that nobody has now. All are held until all are known, so that they differ.
fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    held.map(|listener| listener.local_addr().expect("it is bound").port())
}
