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
/* Although every host of the cluster saw the frame, this one alone goes on with it. */
#define ALONE 0x20000
#define UNTOUCHED 0xffffffff
#define TO(reason, id) ((reason) | (id) << 8)

/*
 * A packet to a VIP, after its headers are read. Its address family is a constant that functions are given: the compiler makes
 * a copy of them for each.
 */
struct packet {
	struct flow flow;
	__u32 slot;
	struct place at; /* in a rule that remembers clients */
	__u32 l4;     /* offset of the transport header */
	bool quoted; /* by an ICMP error: there is no TCP header at l4 */
	bool all;    /* every host has the frame */
};

/* The host of the cluster that forwarded the packet, or NONE: hosts forward to one MAC, never to the cluster's. */
static __always_inline __s32 forwarder(struct __sk_buff *skb, struct packet *p)
{
	return p->all ? NONE : sender(skb);
}

#include "remember.h"

static __always_inline __u32 decide_new(struct __sk_buff *skb, struct packet *p, bool v6)
{
	__u32 owner = slot_owner(p->slot);
	if (p->at.page)
		return decide_client(skb, p, v6);
	if (slot_flags(p->slot) & SLOT_OWN)
		return may_accept(p->slot) ? ACCEPT_NEW : DROP_LEASE;
	if (owner == NOBODY || slot_flags(p->slot) & SLOT_NO_OWNER)
		return slot_flags(p->slot) & SLOT_REFUSED ? DROP_REFUSED : DROP_NOBODY;
	if (owner == self() || forwarder(skb, p) != NONE)
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

/* How long hosts on the chain are not asked again about a flow whose frames they get themselves. */
#define ASK_AGAIN_NS 1000000000ull

/*
 * A frame that every host has, in a bucket whose owner does not know the connection: another host may hold it and has the
 * frame as well. But if nobody does, the end of the chain has to answer with a reset, and only who is asked there knows that it is
 * the end. So one frame a second of such a flow is sent along; the host that has the socket gets that one twice.
 */
static __always_inline bool asked_lately(struct flow *f)
{
	__u64 now = bpf_ktime_get_boot_ns(), *at = bpf_map_lookup_elem(&asked, f);
	if (at && now - *at < ASK_AGAIN_NS)
		return true;
	bpf_map_update_elem(&asked, f, &now, BPF_ANY);
	return false;
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
	/* Of those who all have the frame, only an owner who still is one may let the stack reset what it does not know. */
	if (p->all && (owner != me || !may_accept(p->slot)))
		return DROP_SEEN_BY_OTHERS;
	if (owner == me && next == NOBODY)
		return found == SOCKET_WAITS ? ACCEPT_SOCKET : ACCEPT_END;
	__s32 from = forwarder(skb, p);
	__u32 again = from == NONE ? 0 : AGAIN;
	if (next == from)
		next = slot_third(p->slot);
	if (from == NONE && owner != me && owner != NOBODY)
		return TO(FORWARD_OWNER, owner);
	if (p->all && asked_lately(&p->flow))
		return DROP_SEEN_BY_OTHERS;
	if (next != NOBODY && next != me)
		return TO(FORWARD_NEXT, next) | again;
	if (found == SOCKET_WAITS)
		return ACCEPT_SOCKET;
	if (owner == me)
		return end_of_chain(p);
	/*
	 * Who sends what does not end its way here knows another view: there may be hosts that it should have asked. The client sends
	 * again, and by then they agree.
	 */
	bool agreed = from == NONE || from == owner || from == slot_third(p->slot);
	return agreed && slot_flags(p->slot) & SLOT_LAST ? end_of_chain(p) : DROP_NO_SOCKET;
}

static __always_inline __u32 decide_known(struct __sk_buff *skb, struct packet *p, bool v6)
{
	__u32 owner = slot_owner(p->slot), me = self();
	if (slot_flags(p->slot) & SLOT_ASK)
		return decide_asking(skb, p, v6);
	/* A host whose agent has died gets every frame still: what it does not know belongs to its successor. */
	if (owner == me && (!p->all || may_accept(p->slot)))
		return ACCEPT_OWNER;
	if (owner != me && owner != NOBODY && forwarder(skb, p) == NONE)
		return TO(FORWARD_OWNER, owner);
	return find_socket(skb, &p->flow, v6, NULL) != SOCKET_NONE ? ACCEPT_SOCKET : DROP_NO_SOCKET;
}

#endif
