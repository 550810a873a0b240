/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The egress guard: a reset that the stack sends because it does not know a segment must not break a connection that
 * lives on another host. Such a reset never carries ACK; the answer to a SYN on a closed port and an abort always do.
 */
#ifndef MUSTER_GUARD_H
#define MUSTER_GUARD_H

#include "nd.h"
#include "tunnel.h"

/* How long after the end of the chain let a packet through its reset may leave: the stack answers at once. */
#define PERMIT_NS 100000000ull

static __always_inline bool permitted(struct flow *f)
{
	__u64 *at = bpf_map_lookup_elem(&permits, f);
	return at && bpf_ktime_get_boot_ns() - *at < PERMIT_NS;
}

/* Whether the slot leaves the possibility that another host has the connection. */
static __always_inline bool elsewhere(__u32 slot, __u32 self)
{
	if (!(slot_flags(slot) & SLOT_ASK))
		return false;
	if (slot_owner(slot) == self)
		return slot_second(slot) != NOBODY;
	return !(slot_flags(slot) & SLOT_LAST);
}

static __always_inline int guard(struct __sk_buff *skb, __u32 vip, struct flow *f, bool v6)
{
	bool found = false;
	__u32 slot = find_slot(vip, false, f, v6, &found, NULL);
	if (!found || !elsewhere(slot, self()))
		return PASS;
	/* A request socket is no connection yet: it is what two hosts have when both answered the SYN. */
	if (find_socket(skb, f, v6, NULL) >= SOCKET_WAITS || permitted(f))
		return PASS;
	count(GUARD_RESET);
	return TC_ACT_SHOT;
}

/* The answer to a SYN, and the reset that answers a stray segment. */
static __always_inline bool guarded(struct tcphdr *th)
{
	return th->syn ? th->ack && !th->rst : th->rst && !th->ack;
}

static __always_inline int egress_ip4(struct __sk_buff *skb)
{
	struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return PASS;
	__u32 header = ip->ihl * 4;
	if (ip->protocol != IPPROTO_TCP || header < sizeof(*ip) || ip->frag_off & bpf_htons(FRAGMENT_OFFSET))
		return PASS;
	__be32 from = ip->saddr;
	struct flow f = { .client = mapped(ip->daddr), .vip = mapped(from) };
	struct tcphdr *th = header_at(skb, ETH_HLEN + header, sizeof(*th));
	if (!th || !guarded(th))
		return PASS;
	bool answer = th->syn;
	f.client_port = th->dest;
	f.port = th->source;
	__s32 vip = find_vip(from);
	if (vip == NONE)
		return PASS;
	return answer ? clamp(skb, vip, ETH_HLEN + header, false) : guard(skb, vip, &f, false);
}

static __always_inline int egress_ip6(struct __sk_buff *skb)
{
	struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return PASS;
	if (ip->nexthdr == IPPROTO_ICMPV6)
		return egress_nd(skb);
	if (ip->nexthdr != IPPROTO_TCP) /* the stack's resets have no extension headers */
		return PASS;
	struct flow f = { .client = address6(&ip->daddr), .vip = address6(&ip->saddr) };
	struct tcphdr *th = header_at(skb, ETH_HLEN + sizeof(*ip), sizeof(*th));
	if (!th || !guarded(th))
		return PASS;
	bool answer = th->syn;
	f.client_port = th->dest;
	f.port = th->source;
	__s32 vip = find_vip6(&f.vip);
	if (vip == NONE)
		return PASS;
	return answer ? clamp(skb, vip, ETH_HLEN + sizeof(*ip), true) : guard(skb, vip, &f, true);
}

#endif
