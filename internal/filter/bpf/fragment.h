/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Fragments. Only the first of a datagram has ports: what is decided for it is kept for the others. One that comes before its
 * first cannot be held back here, so every host that may turn out to own the datagram gets it. docs/design/0017-odd-packets.md.
 */
#ifndef MUSTER_FRAGMENT_H
#define MUSTER_FRAGMENT_H

#include "tunnel.h"

/*
 * How long a verdict holds. Fragments of one datagram are milliseconds apart, and a sender that draws its numbers at random may
 * use one again soon.
 */
#define KEPT_NS 1000000000ull

/* Fragments without their first that this host gives to all others in about a second: more would let a stranger multiply frames. */
#define SHARES_AT_ONCE 1024
#define SHARES_WINDOW 30 /* 2^30 ns */

static __always_inline void keep_verdict(struct datagram *d, __u32 verdict)
{
	struct kept k = { .at = bpf_ktime_get_boot_ns(), .verdict = verdict };
	bpf_map_update_elem(&datagrams, d, &k, BPF_ANY);
}

/* Whether there is something left of this second's share. Two processors that begin a second together lend it a few. */
static __always_inline bool may_share(void)
{
	__u32 zero = 0;
	__u64 now = bpf_ktime_get_boot_ns() >> SHARES_WINDOW;
	struct budget *b = bpf_map_lookup_elem(&shared, &zero);
	if (!b)
		return false;
	if (b->window != now) {
		b->window = now;
		b->used = 0;
	}
	return __sync_fetch_and_add(&b->used, 1) < SHARES_AT_ONCE;
}

/* Sends a copy to a host, if there is one, from this host's address. A function of its own: what it has on its stack would make each turn of a loop another. */
static __noinline int share_with(struct __sk_buff *skb, struct vip *vip, __u32 id)
{
	struct mac_key key = { .ifindex = skb->ifindex, .id = id };
	struct mac *to = bpf_map_lookup_elem(&macs, &key);
	__u8 frame[2 * ETH_ALEN];
	__u32 device = skb->ifindex;
	if (to) {
		__builtin_memcpy(frame, to->addr, ETH_ALEN);
		__builtin_memcpy(frame + ETH_ALEN, vip->mac, ETH_ALEN);
		if (bpf_skb_store_bytes(skb, 0, frame, sizeof(frame), 0))
			return 0;
	} else {
		device = vip->flags & VIP_TUNNEL ? address_far(skb, id) : 0;
	}
	return device ? bpf_clone_redirect(skb, device, 0) : 0;
}

/* Sends a copy to each other host, and leaves the frame as it came. */
static __always_inline void share(struct __sk_buff *skb, struct vip *vip)
{
	__u8 was[2 * ETH_ALEN];
	if (vip->ifindex != skb->ifindex || bpf_skb_load_bytes(skb, 0, was, sizeof(was)))
		return;
	for (__u32 id = 0; id < MAX_HOSTS; id++)
		share_with(skb, vip, id);
	bpf_skb_store_bytes(skb, 0, was, sizeof(was), 0);
}

/*
 * The verdict on a later fragment. all: every host sees the frame. Who takes one whose first goes elsewhere holds it until the
 * kernel's time for reassembly is over, within the kernel's bound for such memory, and says nothing about it.
 */
static __always_inline __u32 later_fragment(struct __sk_buff *skb, struct vip *vip, struct datagram *d, bool all)
{
	struct kept *k = bpf_map_lookup_elem(&datagrams, d);
	if (k && bpf_ktime_get_boot_ns() - k->at < KEPT_NS)
		return k->verdict;
	if (!lease_valid())
		return DROP_FRAGMENT;
	if (all || sender(skb) != NONE)
		return ACCEPT_FRAGMENT;
	if (!may_share())
		return DROP_FRAGMENT;
	share(skb, vip);
	return ACCEPT_SHARED;
}

#endif
