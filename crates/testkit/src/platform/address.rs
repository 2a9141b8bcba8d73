//! Addresses that no other test process uses, so that a port found free stays free.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, OnceLock, PoisonError};

/// On Linux all of 127/8 is this machine: each process takes a host of its own, from its id. Elsewhere 127.0.0.1.
pub(super) fn host() -> IpAddr {
    static HOST: OnceLock<IpAddr> = OnceLock::new();
    *HOST.get_or_init(|| {
        let pid = std::process::id();
        let [_, a, b, c] = pid.to_be_bytes();
        let own = IpAddr::V4(Ipv4Addr::new(127, 100 + (a & 0x3f), b, c.max(1)));
        if TcpListener::bind((own, 0)).is_ok() {
            own
        } else {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        }
    })
}

/// An address that is free now and was not given out before: whoever got it first may not listen yet.
pub fn free() -> std::io::Result<SocketAddr> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let address = TcpListener::bind((host(), 0))?.local_addr()?;
        if GIVEN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(address.port())
        {
            return Ok(address);
        }
    }
}
