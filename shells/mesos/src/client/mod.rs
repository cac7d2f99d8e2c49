//! Owns the execution of the link's effects over HTTP. Takes no decisions: what happens is fed back as link inputs.
//!
//! Each subscription has two connections: one for the stream that never ends, one for all other calls, in order (R1).

mod calls;
mod connect;
mod question;
mod request;
mod stream;

use std::sync::Arc;

use swan_core::link::{ConnId, LinkEffect, LinkInput};
use swan_core::scheduler::input::LinkEvent;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use calls::{CallWorker, Outgoing};
pub use connect::{Connector, Tls};
use request::Target;
pub use request::{Credential, Secret};

/// Executes link effects; results come back through the channel given to it.
#[derive(Debug)]
pub struct Client<C> {
    connector: Arc<C>,
    credential: Option<Arc<Credential>>,
    inputs: mpsc::Sender<LinkInput>,
    current: Option<Current>,
}

/// The two connections of one subscription, or that of a question; they end with it.
#[derive(Debug)]
struct Current {
    conn: ConnId,
    /// Bounded by the link: it never has more calls in flight than its limit (R18).
    outgoing: mpsc::UnboundedSender<Outgoing>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Current {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl<C: Connector> Client<C> {
    /// A client that is not connected. With a credential every request authenticates itself (R17).
    pub fn new(connector: C, credential: Option<Credential>, inputs: mpsc::Sender<LinkInput>) -> Self {
        Self { connector: Arc::new(connector), credential: credential.map(Arc::new), inputs, current: None }
    }

    /// Does one thing; never waits. Must be called inside a Tokio runtime. What is for the scheduler is handed back,
    /// with the connection to tag its next calls with.
    pub fn execute(&mut self, effect: LinkEffect) -> Option<(ConnId, LinkEvent)> {
        match effect {
            LinkEffect::Up { conn, event } => return Some((conn, event)),
            LinkEffect::Close { conn } => {
                self.current.take_if(|current| current.conn == conn);
            }
            LinkEffect::Subscribe { conn, master, framework, suppressed_roles } => {
                let target = Target { master, credential: self.credential.clone() };
                let (outgoing, queue) = mpsc::unbounded_channel();
                let worker =
                    CallWorker::new(conn, Arc::clone(&self.connector), target.clone(), self.inputs.clone());
                let connector = Arc::clone(&self.connector);
                let stream =
                    stream::run(conn, connector, target, framework, suppressed_roles, self.inputs.clone());
                let tasks =
                    vec![tokio::spawn(stream).abort_handle(), tokio::spawn(worker.run(queue)).abort_handle()];
                self.current = Some(Current { conn, outgoing, tasks });
            }
            LinkEffect::Ask { conn, master } => {
                let target = Target { master, credential: self.credential.clone() };
                let (outgoing, _) = mpsc::unbounded_channel();
                let question = question::run(conn, Arc::clone(&self.connector), target, self.inputs.clone());
                let tasks = vec![tokio::spawn(question).abort_handle()];
                self.current = Some(Current { conn, outgoing, tasks });
            }
            LinkEffect::Send { conn, id, stream_id, framework, call } => {
                if let Some(current) = self.current.as_ref().filter(|current| current.conn == conn) {
                    // A worker that is gone has nobody left to tell: the link has closed its connection.
                    let _ = current.outgoing.send(Outgoing { id, stream_id, framework, call });
                }
            }
        }
        None
    }
}
