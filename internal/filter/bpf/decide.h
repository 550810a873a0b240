/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The decisions of docs/design/0002-filter.md. Nothing here changes a packet. */
#ifndef MUSTER_DECIDE_H
#define MUSTER_DECIDE_H

#include "common.h"

/*
 * A verdict is a reason, and for forwarding whom to (second byte) and whether a host of the cluster had forwarded
 * the packet already.
 */
#define AGAIN 0x10000
#define UNTOUCHED 0xffffffff
#define TO(reason, id) ((reason) | (id) << 8)

/*
 * A packet to a VIP, after its headers are read. Its address family is a constant that functions are given: the compiler makes
 * a copy of them for each.
 */
struct packet {
	struct flow flow;
	__u32 slot;
	__u32 l4;     /* offset of the transport header */
	bool quoted; /* by an ICMP error: there is no TCP header at l4 */
};

static __always_inline __u32 decide_new(struct __sk_buff *skb, struct packet *p)
{
	__u32 owner = slot_owner(p->slot);
	if (slot_flags(p->slot) & SLOT_OWN)
		return may_accept(p->slot) ? ACCEPT_NEW : DROP_LEASE;
	if (owner == NOBODY)
		return DROP_NOBODY;
	if (owner == self() || sender(skb) != NONE)
		return DROP_NOT_OWNED;
	return lease_valid() ? TO(FORWARD_NEW, owner) : DROP_LEASE;
}

/*
 * The end of the chain: the stack shall answer, with a reset. Where the slot names another host that has been asked
 * already, the guard at egress needs to be told.
 */
static __always_inline __u32 end_of_chain(struct packet *p)
{
	if (slot_second(p->slot) != NOBODY) {
		__u64 now = bpf_ktime_get_boot_ns();
		bpf_map_update_elem(&permits, &p->flow, &now, BPF_ANY);
	}
	return ACCEPT_END;
}

/*
 * The slot says ask: sockets first, then the next host that may have the connection. One in TIME_WAIT is only good if nobody has
 * another: the client may have used the port again, and the new connection is where the bucket was then.
 */
static __always_inline __u32 decide_asking(struct __sk_buff *skb, struct packet *p, bool v6)
{
	struct headers h = {};
	if (!p->quoted) {
		h.ip = direct(skb, ETH_HLEN, v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
		h.tcp = direct(skb, p->l4, sizeof(*h.tcp));
	}
	enum finding found = find_socket(skb, &p->flow, v6, &h);
	if (found != SOCKET_NONE && found != SOCKET_WAITS)
		return found == SOCKET_COOKIE ? ACCEPT_COOKIE : ACCEPT_SOCKET;
	__u32 owner = slot_owner(p->slot), next = slot_second(p->slot), me = self();
	if (owner == me && next == NOBODY)
		return found == SOCKET_WAITS ? ACCEPT_SOCKET : ACCEPT_END;
	__s32 from = sender(skb);
	__u32 again = from == NONE ? 0 : AGAIN;
	if (next == from)
		next = slot_third(p->slot);
	if (from == NONE && owner != me && owner != NOBODY)
		return TO(FORWARD_OWNER, owner);
	if (next != NOBODY && next != me)
		return TO(FORWARD_NEXT, next) | again;
	if (found == SOCKET_WAITS)
		return ACCEPT_SOCKET;
	if (owner == me || slot_flags(p->slot) & SLOT_LAST)
		return end_of_chain(p);
	return DROP_NO_SOCKET;
}

static __always_inline __u32 decide_known(struct __sk_buff *skb, struct packet *p, bool v6)
{
	__u32 owner = slot_owner(p->slot);
	if (slot_flags(p->slot) & SLOT_ASK)
		return decide_asking(skb, p, v6);
	if (owner == self())
		return ACCEPT_OWNER;
	if (owner != NOBODY && sender(skb) == NONE)
		return TO(FORWARD_OWNER, owner);
	return find_socket(skb, &p->flow, v6, NULL) != SOCKET_NONE ? ACCEPT_SOCKET : DROP_NO_SOCKET;
}

#endif
