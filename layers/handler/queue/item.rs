//! A record in a queue.

use std::{cell::RefCell, thread::LocalKey, time::SystemTime};

use crate::{
    OwnedDelivery, Severity,
    handler::worker::{self, ShardHandle, Weighed},
};

pub(super) struct Item {
    pub(super) delivery: OwnedDelivery,
    /// 32 bits are enough: no record takes 4 GiB.
    bytes: u32,
    is_protected: bool,
}

impl Item {
    #[inline]
    pub(super) fn new(delivery: OwnedDelivery, priority_level: Severity) -> Self {
        let bytes = u32::try_from(delivery.weight()).unwrap_or(u32::MAX);
        Self { bytes, is_protected: delivery.severity() >= priority_level, delivery }
    }
}

impl Weighed for Item {
    #[inline]
    fn bytes(&self) -> usize {
        self.bytes as usize
    }

    #[inline]
    fn is_protected(&self) -> bool {
        self.is_protected
    }

    fn time(&self) -> SystemTime {
        self.delivery.time()
    }

    fn discard(self) {
        self.delivery.dropped();
    }
}

thread_local! {
    static HANDLES: RefCell<Vec<ShardHandle<Item>>> = const { RefCell::new(Vec::new()) };
}

impl worker::Item for Item {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<Self>>>> = &HANDLES;
}
