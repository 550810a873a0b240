/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Rules that remember clients: docs/design/0015-rules.md. A client is noted when a connection of it is seen that this host's stack has
 * established, so a flood of SYNs pushes nobody out of the table; over UDP, which has no handshake, when a packet is accepted.
 */
#ifndef MUSTER_REMEMBER_H
#define MUSTER_REMEMBER_H

#include "common.h"

#define SECOND 1000000000ull

/* How long a note is good enough: a store for every packet would cost more than the rest of the filter. */
#define NOTE_NS SECOND

static __always_inline struct client client_of(struct packet *p, bool v6)
{
	struct rule *rule = &p->at.page->rule;
	struct client c = { .page = p->at.key };
	if (!v6) {
		c.address = mapped(p->flow.client.word[3] & rule->mask4);
		return c;
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
		c.address.word[i] = p->flow.client.word[i] & rule->mask6[i];
	return c;
}

/* Whether this host is to serve the client because it did so before. */
static __always_inline bool remembered(struct packet *p, bool v6)
{
	struct rule *rule = &p->at.page->rule;
	struct client c = client_of(p, v6);
	__u64 *seen = bpf_map_lookup_elem(&clients, &c);
	if (!seen || *seen < *(volatile __u64 *)&rule->since)
		return false;
	return bpf_ktime_get_boot_ns() - *seen < rule->remember * SECOND;
}

/* Whether the client has to be noted (again), and as what. */
static __always_inline bool note_due(struct packet *p, bool v6, struct client *c)
{
	*c = client_of(p, v6);
	__u64 *seen = bpf_map_lookup_elem(&clients, c);
	return !seen || bpf_ktime_get_boot_ns() - *seen >= NOTE_NS;
}

static __always_inline void note(struct client *c)
{
	__u64 now = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&clients, c, &now, BPF_ANY);
}

/* A segment was accepted that is no first one. */
static __always_inline void note_known(struct __sk_buff *skb, struct packet *p, bool v6)
{
	struct client c;
	if (note_due(p, v6, &c) && find_socket(skb, &p->flow, v6, NULL) == SOCKET_IS)
		note(&c);
}

/*
 * A first packet goes along the chain: the hosts that may remember the client, by rising index, then the owner. From a client, only the
 * first of them goes on with it; from a host of the cluster, whoever gets it does.
 */
static __always_inline __u32 decide_client(struct __sk_buff *skb, struct packet *p, bool v6)
{
	__u32 chain = *(volatile __u16 *)&p->at.page->chain[p->at.bucket & (BUCKETS - 1)];
	__u32 first = chain & 0xff, next = chain >> 8, me = self();
	bool forwarded = forwarder(skb, p) != NONE;
	if (!lease_valid())
		return DROP_LEASE;
	if (!forwarded && first != me)
		return first == NOBODY ? DROP_NOBODY : TO(FORWARD_NEW, first);
	if (remembered(p, v6))
		return may_accept(p->slot) ? ACCEPT_REMEMBERED : DROP_LEASE;
	if (slot_flags(p->slot) & SLOT_OWN)
		return may_accept(p->slot) ? ACCEPT_NEW : DROP_LEASE;
	if (next == NOBODY || next == me)
		return slot_owner(p->slot) == me && !(slot_flags(p->slot) & SLOT_NO_OWNER) ? DROP_NOT_OWNED : DROP_NOBODY;
	return TO(FORWARD_NEW, next) | (forwarded ? AGAIN : ALONE);
}

/* An ICMP error about a packet to the client, over UDP: it goes where the client's packets go. */
static __always_inline __u32 about_client(struct __sk_buff *skb, struct packet *p, bool v6)
{
	__u32 verdict = decide_client(skb, p, v6), reason = verdict & 0xff;
	if (reason <= LAST_ACCEPT)
		return ACCEPT_ICMP;
	return reason <= LAST_FORWARD ? verdict : DROP_ICMP;
}

#endif
