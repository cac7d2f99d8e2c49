//! Owns the clients that wait for the machine: each is answered, by what it says or by its end.

use std::collections::BTreeMap;

use swan_api::Answer;
use swan_core::scheduler::api::{ApiError, ApiReply, ErrorKind};
use swan_core::scheduler::input::RequestId;

/// Where answers go, by request. Dropped, it tells those who still wait that nobody knows: a change that was taken may be
/// durable, though the machine that took it cannot say so any more.
#[derive(Default)]
pub(crate) struct Answers {
    waiting: BTreeMap<RequestId, Answer>,
}

impl Answers {
    /// The machine is about to be told of a request.
    pub(crate) fn expect(&mut self, id: RequestId, answer: Answer) {
        self.waiting.insert(id, answer);
    }

    /// The machine's answer.
    pub(crate) fn reply(&mut self, id: RequestId, result: Result<ApiReply, Box<ApiError>>) {
        if let Some(answer) = self.waiting.remove(&id) {
            // The client may have gone.
            drop(answer.send(result));
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for (_, answer) in std::mem::take(&mut self.waiting) {
            let detail = "this manager gave up leadership before it could answer; a change may still happen: repeat it \
                          with the same Idempotency-Key";
            drop(answer.send(Err(Box::new(ApiError::new(ErrorKind::Unavailable, detail)))));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn who_is_not_answered_is_told_that_a_change_may_still_happen() {
        let mut answers = Answers::default();
        let (answer, mut answered) = oneshot::channel();
        let (other, mut left) = oneshot::channel();
        answers.expect(RequestId(1), answer);
        answers.expect(RequestId(2), other);
        answers.reply(RequestId(1), Ok(ApiReply::Done));
        drop(answers);
        assert_eq!(answered.try_recv().expect("it was answered"), Ok(ApiReply::Done));
        let error = left.try_recv().expect("it is answered too").expect_err("nobody knows");
        assert!(
            error.kind == ErrorKind::Unavailable && error.detail.contains("may still happen"),
            "{error:?}"
        );
    }
}
