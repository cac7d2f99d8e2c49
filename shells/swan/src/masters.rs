//! Owns how the masters of Mesos are known: named by the operator, or looked up in ZooKeeper again and again.

use std::sync::{Arc, Mutex, PoisonError};

use swan_core::link::{LinkInput, MasterAddress};
use swan_store::Sessions;

use crate::driver::Voice;
use crate::failure::Failure;

/// Where the masters of Mesos are known from.
pub(crate) enum MastersPlan {
    /// The operator named them.
    Fixed(Vec<MasterAddress>),
    /// They tell ZooKeeper.
    ZooKeeper(Box<swan_store::Options>),
}

/// The masters as they are known now.
#[derive(Clone)]
pub(crate) struct Masters(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    masters: Vec<MasterAddress>,
    /// The life of the manager that hears of changes.
    listener: Option<Voice>,
}

impl Masters {
    /// Begins to look. Called inside the runtime.
    pub(crate) fn watch(plan: MastersPlan) -> Result<Self, Failure> {
        match plan {
            MastersPlan::Fixed(masters) => Ok(Self::of(masters)),
            MastersPlan::ZooKeeper(options) => {
                let path = options.address.root().to_owned();
                let sessions = Sessions::of_masters(*options);
                let sessions = sessions.map_err(|error| Failure::failed(error.to_string()))?;
                let known = Self::of(Vec::new());
                let told = known.clone();
                tokio::spawn(swan_store::watch_masters(sessions, path, move |masters| told.take(masters)));
                Ok(known)
            }
        }
    }

    fn of(masters: Vec<MasterAddress>) -> Self {
        Self(Arc::new(Mutex::new(Known { masters, listener: None })))
    }

    fn take(&self, masters: Vec<MasterAddress>) {
        let leader = masters.first().map_or_else(|| "none".to_owned(), ToString::to_string);
        tracing::info!("the leading Mesos master is {leader}");
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = &known.listener {
            listener.link(LinkInput::Masters(masters.clone()));
        }
        known.masters = masters;
    }

    /// The masters now; tells a life of the manager of all changes from now on.
    pub(crate) fn tell(&self, voice: &Voice) -> Vec<MasterAddress> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.listener = Some(voice.clone());
        known.masters.clone()
    }
}
