//! Owns Swan's HTTP API: it turns HTTP into the scheduler's requests and its views into JSON, and decides nothing.

mod apps;
mod asked;
mod auth;
mod body;
mod calls;
mod changes;
mod described;
mod dto;
mod events;
mod feed;
mod forward;
mod history;
mod limits;
mod look;
mod manager;
mod metrics;
mod operations;
mod peers;
mod placement;
mod problem;
mod quota;
mod reading;
mod reply;
mod rollouts;
mod routes;
mod server;
mod service;
mod tasks;
mod timestamp;

pub use asked::{AppListing, with_compose};
pub use auth::{TokenError, Tokens};
pub use dto::{
    AcceptedDto, AddedDto, AgentDto, AppDto, CreatedDto, DryRunDto, EventDto, ExplainDto, FailingDto,
    FailureDto, FrameworkDto, FrameworkWordDto, GapDto, GivenUpDto, HealthDto, HoldDto, LeaderDto,
    ManagerDto, NearestDto, OfferedDto, OutageDto, PlacedDto, PredecessorDto, QuarantinedDto, ResetDto,
    RollbackDto, RolloutDto, ScaleDto, TaskDto, VersionDto, WaitingDto, WhoDto,
};
pub use feed::{Batch, CopiedEvent, EventFeed, Subscription, Told};
pub use forward::{FOLLOWS, FORWARDED};
pub use manager::{Answer, Deliver, Manager, Read, Standing};
pub use peers::{Member, Peers, SendError};
pub use problem::{Problem, ProblemDto, ProblemItem};
pub use reading::{Reading, Stat, StatKind};
pub use routes::{ROUTES, Route, open_api};
pub use server::serve;
pub use service::Config;
