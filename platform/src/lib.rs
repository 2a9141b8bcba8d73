//! The binary `stoa`: which services there are, and how a process runs some or all of them.

pub mod admin;
pub mod cli;
pub mod demo;
pub mod doctor;
pub mod events;
mod import;
mod measure;
pub mod migrate;
pub mod serve;
pub mod services;
pub mod up;
