//! Owns a small TCP proxy that can cut connections, or swallow what they carry.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Those that stand are reset, new ones are refused.
    Cut,
    /// Everything is taken, and nothing arrives.
    Swallow,
}

/// A proxy before one server; it ends with the process.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    way: Way,
    open: Vec<TcpStream>,
}

impl Proxy {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State { way: Way::Open, open: Vec::new() }));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if state.way == Way::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    state.open.extend(from.try_clone());
                    let shared = shared.clone();
                    thread::spawn(move || carry(from, to, &shared));
                }
            }
        });
        Self { address, state }
    }

    pub(crate) fn set(&self, way: Way) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.way = way;
        if way == Way::Cut {
            for stream in state.open.drain(..) {
                // Its other end may have closed it.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, shared: &Mutex<State>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer) {
        // What was swallowed is lost, so that such a connection never goes on.
        if shared.lock().unwrap_or_else(PoisonError::into_inner).way == Way::Swallow {
            while shared.lock().unwrap_or_else(PoisonError::into_inner).way == Way::Swallow {
                thread::sleep(Duration::from_millis(50));
            }
            break;
        }
        if to.write_all(&buffer[..bytes]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
