/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Claims: somebody says that an address of ours is his, in ARP or in neighbour discovery. What comes from a host of the cluster is none. The agent
 * is told, and decides: it knows hosts that the filter does not know yet. docs/design/0018-healing.md.
 */
#ifndef MUSTER_CLAIMS_H
#define MUSTER_CLAIMS_H

#include "common.h"

/* Each claimant is told once a second; together they fill the ring at most, and what does not fit is counted only. */
#define CLAIM_PAUSE_NS 1000000000ULL
#define MAX_CLAIMANTS 256
#define CLAIMS_BYTES 16384
#define MAX_OWN 64

/* Who claims what. */
struct claimant {
	struct address address;
	__u32 ifindex;
	__u8 mac[ETH_ALEN];
	__u16 pad;
};

struct claim {
	struct claimant who;
	__u8 source[ETH_ALEN]; /* of the frame, which may be another than the one that it names */
	__u16 pad;
};

/* The host's own addresses: not VIPs, and to be watched all the same. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_OWN);
	__type(key, struct address);
	__type(value, __u32);
} own SEC(".maps");

/* When each claimant was told last (CLOCK_BOOTTIME). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_CLAIMANTS);
	__type(key, struct claimant);
	__type(value, __u64);
} claimants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CLAIMS_BYTES);
} claims SEC(".maps");

/*
 * What of the packet in hand is a claim, if anything. It is kept here and not on the stack, because who finds it and who tells it, when the decision about
 * the packet has been made, are functions beside each other.
 */
struct suspicion {
	struct claim claim;
	__u32 index;  /* of the VIP, or NONE */
	__u32 reason; /* to count it as, plus one; 0: none */
	__u32 nd;     /* an intact message of neighbour discovery is to be looked at: 1 for a solicitation, 2 for an advertisement */
	__u8 option[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct suspicion);
} suspicions SEC(".maps");

static __always_inline bool is_host(struct __sk_buff *skb, __u8 *mac)
{
	struct peer_key key = { .ifindex = skb->ifindex };
	__builtin_memcpy(key.mac, mac, ETH_ALEN);
	return bpf_map_lookup_elem(&peers, &key) != NULL;
}

static __always_inline struct suspicion *suspicion(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&suspicions, &zero);
}

/*
 * Makes ready what claimed tells: that the MAC in s says it has the address in s, which is a VIP's unless index is NONE. What counts is the MAC that
 * the message names, which neighbours believe; where it names none, that of the frame.
 */
static __always_inline void suspect(struct __sk_buff *skb, struct suspicion *s, bool named, __u32 index, __u32 reason)
{
	struct ethhdr *eth = DATA(skb);
	if ((void *)(eth + 1) > END(skb))
		return;
	s->claim.who.ifindex = skb->ifindex;
	__builtin_memcpy(s->claim.source, eth->h_source, ETH_ALEN);
	if (!named)
		__builtin_memcpy(s->claim.who.mac, eth->h_source, ETH_ALEN);
	s->index = index;
	s->reason = reason + 1;
}

static __always_inline bool is_own(struct address *a) { return bpf_map_lookup_elem(&own, a) != NULL; }

/* Whether who is named is the cluster: a host, this interface, or a cluster MAC in a host's frame. */
static __always_inline bool ours(struct __sk_buff *skb, struct suspicion *s, struct vip *vip)
{
	__u64 named = 0, own = 0;
	__builtin_memcpy(&named, s->claim.who.mac, ETH_ALEN);
	if (vip)
		__builtin_memcpy(&own, vip->mac, ETH_ALEN);
	if (is_host(skb, s->claim.who.mac) || named == own)
		return true;
	return vip && named == vip->answer && is_host(skb, s->claim.source);
}

/* Says that the message of neighbour discovery in hand is intact. What it claims is looked at later, where there is room for it. */
static __always_inline void look_at_nd(bool answer)
{
	struct suspicion *s = suspicion();
	if (s)
		s->nd = 1 + answer;
}

#define CLAIM_AT (ETH_HLEN + sizeof(struct ipv6hdr)) /* the message, behind a header without extensions */
#define CLAIM_OPTION (CLAIM_AT + 24)		      /* its first option */

/* An advertisement claims its target, a solicitation its source. All known senders have the option with the MAC first. */
static __always_inline void suspect_nd(struct __sk_buff *skb, struct suspicion *s, bool answer)
{
	__u32 at = answer ? CLAIM_AT + 8 : ETH_HLEN + offsetof(struct ipv6hdr, saddr);
	bool named;
	if (bpf_skb_load_bytes(skb, at, &s->claim.who.address, sizeof(s->claim.who.address)))
		return;
	__s32 of = find_vip6(&s->claim.who.address);
	if (skb->pkt_type == PACKET_OTHERHOST || (of == NONE && !is_own(&s->claim.who.address)))
		return;
	named = !bpf_skb_load_bytes(skb, CLAIM_OPTION, s->option, sizeof(s->option)) && s->option[1] == 1 && s->option[0] == 1 + answer;
	if (named)
		__builtin_memcpy(s->claim.who.mac, s->option + 2, ETH_ALEN);
	suspect(skb, s, named, of, ND_CONFLICT);
}

/* Tells the agent what is claimed, and counts it when it is about a VIP. A packet that was answered is not what came any more. */
static __noinline int claimed(struct __sk_buff *skb, int verdict)
{
	__u32 reason;
	__u64 now = bpf_ktime_get_boot_ns(), *last;
	struct suspicion *s = suspicion();
	if (!s)
		return 0;
	if (s->nd && verdict == PASS)
		suspect_nd(skb, s, s->nd == 2);
	s->nd = 0;
	if (!s->reason)
		return 0;
	reason = s->reason - 1;
	s->reason = 0;
	struct vip *vip = bpf_map_lookup_elem(&vips, &s->index);
	if (ours(skb, s, vip))
		return 0;
	if (vip)
		count(reason);
	last = bpf_map_lookup_elem(&claimants, &s->claim.who);
	if (last && now - *last < CLAIM_PAUSE_NS)
		return 0;
	bpf_map_update_elem(&claimants, &s->claim.who, &now, BPF_ANY);
	bpf_ringbuf_output(&claims, &s->claim, sizeof(s->claim), 0);
	return 0;
}

static __always_inline int then_claimed(struct __sk_buff *skb, int verdict)
{
	claimed(skb, verdict);
	return verdict;
}

#endif
