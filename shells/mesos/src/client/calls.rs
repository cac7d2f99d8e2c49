//! Owns the connection for all calls but SUBSCRIBE: kept alive, requests in order, none waiting for the answers to those
//! before it (R1, R18).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use swan_core::link::{CallAnswer, CallId, ConnId, LinkInput, excerpt};
use swan_core::mesos::FrameworkId;
use swan_core::scheduler::effect::MesosCall;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::connect::{Connector, cannot_connect};
use super::request::Target;
use crate::wire::{Answer, AnswerDecoder};

/// Requests are taken in while fewer bytes than this wait to be written.
const OUT_BYTES_FULL: usize = 64 * 1024;

/// One call to make.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: CallId,
    pub(super) stream_id: String,
    pub(super) framework: FrameworkId,
    pub(super) call: Box<MesosCall>,
}

/// Makes the calls of one subscription.
pub(super) struct CallWorker<C> {
    conn: ConnId,
    connector: Arc<C>,
    target: Target,
    inputs: mpsc::Sender<LinkInput>,
    /// Calls without an answer, as requests, in the order of the connection.
    open: VecDeque<(CallId, Vec<u8>)>,
}

/// How a connection ended.
enum Ending {
    /// Nobody makes calls any more.
    Done,
    /// The master looked at none of the requests that are left.
    InOrder,
    /// What became of the requests that had left is unknown; so many bytes had not.
    Broken { unwritten: usize, why: String },
}

impl<C: Connector> CallWorker<C> {
    pub(super) const fn new(
        conn: ConnId,
        connector: Arc<C>,
        target: Target,
        inputs: mpsc::Sender<LinkInput>,
    ) -> Self {
        Self { conn, connector, target, inputs, open: VecDeque::new() }
    }

    /// Runs until the link closes the subscription.
    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Outgoing>) {
        loop {
            if self.open.is_empty() {
                let Some(outgoing) = queue.recv().await else { return };
                self.take(outgoing).await;
                continue;
            }
            let master = &self.target.master;
            let ending = match self.connector.connect(master).await {
                Ok(stream) => self.converse(stream, &mut queue).await,
                Err(why) => Ending::Broken { unwritten: 0, why: cannot_connect(master, &why) },
            };
            match ending {
                Ending::Done => return,
                Ending::InOrder => {}
                Ending::Broken { unwritten, why } => self.lose(unwritten, &why).await,
            }
        }
    }

    /// Makes a request of a call. One that has no form on the wire is answered here.
    async fn take(&mut self, outgoing: Outgoing) {
        let Outgoing { id, stream_id, framework, call } = outgoing;
        let call = call.into_call().ok_or_else(|| "the call is none that a master knows".to_owned());
        match call.and_then(|call| self.target.call(&framework, &call, &stream_id)) {
            Ok(request) => self.open.push_back((id, request)),
            Err(why) => self.tell(id, CallAnswer::Lost { why: excerpt(&why) }).await,
        }
    }

    /// Sends what is open and all that comes, and hands the answers on, until the connection ends.
    async fn converse(&mut self, stream: C::Stream, queue: &mut mpsc::UnboundedReceiver<Outgoing>) -> Ending {
        let (mut input, output) = tokio::io::split(stream);
        let (mut decoder, mut buffer) = (AnswerDecoder::new(), BytesMut::with_capacity(16 * 1024));
        let mut outbox = Outbox { output, bytes: BytesMut::new(), flushed: true };
        for (_, request) in &self.open {
            outbox.push(request);
        }
        loop {
            buffer.clear();
            let worked = tokio::select! {
                biased;
                outgoing = queue.recv(), if outbox.bytes.len() < OUT_BYTES_FULL => {
                    let Some(outgoing) = outgoing else { return Ending::Done };
                    let before = self.open.len();
                    self.take(outgoing).await;
                    for (_, request) in self.open.range(before..) {
                        outbox.push(request);
                    }
                    continue;
                }
                sent = outbox.send(), if !outbox.flushed => sent,
                read = input.read_buf(&mut buffer) => match read {
                    Ok(0) => return self.ended(decoder, outbox.bytes.len()).await,
                    read => read.map(|_| ()),
                },
            };
            let unwritten = outbox.bytes.len();
            if let Err(why) = worked {
                return Ending::Broken { unwritten, why: why.to_string() };
            }
            decoder.push(&buffer);
            while let Some(answer) = decoder.next_answer() {
                let answer = match answer {
                    Ok(answer) => answer,
                    Err(why) => return Ending::Broken { unwritten, why: why.to_string() },
                };
                if let Some(ending) = self.answered(answer, unwritten).await {
                    return ending;
                }
            }
        }
    }

    /// Hands an answer on; says whether the connection is over.
    async fn answered(&mut self, answer: Answer, unwritten: usize) -> Option<Ending> {
        let Some((id, _)) = self.open.pop_front() else {
            let why = format!("{}, which nobody had asked for", answer.response);
            return Some(Ending::Broken { unwritten, why });
        };
        self.tell(id, CallAnswer::Response(answer.response)).await;
        answer.last.then_some(Ending::InOrder)
    }

    /// The master has closed the connection. Idle ones are closed by many.
    async fn ended(&mut self, decoder: AnswerDecoder, unwritten: usize) -> Ending {
        if let Some(answer) = decoder.end()
            && let Some(ending) = self.answered(answer, unwritten).await
        {
            return ending;
        }
        let why = "the master closed the connection before it had answered".to_owned();
        Ending::Broken { unwritten, why }
    }

    /// Gives up calls that the master may have taken: they are never made twice. What has not left yet stays open.
    async fn lose(&mut self, unwritten: usize, why: &str) {
        let mut left = unwritten;
        let mut kept = self.open.len();
        while kept > 0 && self.open[kept - 1].1.len() <= left {
            kept -= 1;
            left -= self.open[kept].1.len();
        }
        let why = excerpt(why);
        for (id, _) in self.open.drain(..kept).collect::<Vec<_>>() {
            self.tell(id, CallAnswer::Lost { why: why.clone() }).await;
        }
    }

    /// A link that is gone wants to know nothing.
    async fn tell(&self, id: CallId, answer: CallAnswer) {
        let _ = self.inputs.send(LinkInput::Answered { conn: self.conn, id, answer }).await;
    }
}

/// Bytes on their way out.
struct Outbox<W> {
    output: W,
    bytes: BytesMut,
    /// All has left: TLS keeps what it could not send.
    flushed: bool,
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.flushed = false;
    }

    /// Sends some of it. Cancel safe.
    async fn send(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            self.output.flush().await?;
            self.flushed = true;
        } else if self.output.write_buf(&mut self.bytes).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
