/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* IPv6 packets that arrive: find the transport header behind extension headers, decide as for IPv4, act. */
#ifndef MUSTER_INGRESS6_H
#define MUSTER_INGRESS6_H

#include "ingress.h"

/*
 * How many extension headers are stepped over. RFC 8200, 4.1 knows four that come before the transport header and allows one of them
 * twice; more is not for us to make sense of.
 */
#define EXTENSIONS 6

/* The way through a chain of headers. */
struct chain {
	__u32 at;        /* offset of the next header */
	__u8 next;       /* its protocol */
	bool fragmented; /* a fragment header has been passed that is one of several */
	__u16 offset;    /* of that fragment in its datagram, in bytes */
	__be32 id;       /* of the datagram */
};

/* What all extension headers begin with, and the whole of a fragment header. */
struct extension {
	__u8 next, length; /* in units of 8 bytes, the first not counted; nothing in a fragment header */
	__be16 fragment;
	__be32 id;
};

static __always_inline bool is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

/* Steps over extension headers, up to what no later fragment has. False: too many, or the packet ends before. */
static __always_inline bool step_over(struct __sk_buff *skb, struct chain *c)
{
	struct extension x;
	for (int i = 0; i < EXTENSIONS && is_extension(c->next) && !c->offset; i++) {
		if (bpf_skb_load_bytes(skb, c->at, &x, sizeof(x)))
			return false;
		if (c->next == IPPROTO_FRAGMENT) {
			c->fragmented = x.fragment & bpf_htons(FRAGMENT6_MORE | FRAGMENT6_OFFSET);
			c->offset = bpf_ntohs(x.fragment) & FRAGMENT6_OFFSET;
			c->id = x.id;
			x.length = 0;
		}
		c->next = x.next;
		c->at += (x.length + 1) * 8;
	}
	return c->offset || !is_extension(c->next);
}

/* Error messages have the types below this (RFC 4443, 2.1); four are in use. */
#define ICMP6_ERRORS 5
#define ICMP6_HEADER 8

/* Whether an ICMPv6 error quotes a packet from the VIP that has a connection. Then the flow's client and where the ports are is filled in. */
static __always_inline bool read_quote(struct __sk_buff *skb, struct packet *p, struct chain *c)
{
	struct ipv6hdr ip;
	__u32 quote = p->l4 + ICMP6_HEADER;
	if (bpf_skb_load_bytes(skb, quote, &ip, sizeof(ip)))
		return false;
	struct address from = address6(&ip.saddr);
	if (!same(&from, &p->flow.vip))
		return false;
	c->at = quote + sizeof(ip);
	c->next = ip.nexthdr;
	if (!step_over(skb, c) || c->offset)
		return false;
	p->flow.client = address6(&ip.daddr);
	return c->next == IPPROTO_TCP || c->next == IPPROTO_UDP;
}

static __always_inline __u32 decide_icmp6(struct __sk_buff *skb, struct packet *p, __u32 index, struct vip *vip)
{
	__u8 type;
	__be16 port[2];
	struct chain c = {};
	if (bpf_skb_load_bytes(skb, p->l4, &type, sizeof(type)))
		return DROP_MALFORMED;
	if (type >= ICMP6_ERRORS || !read_quote(skb, p, &c) || bpf_skb_load_bytes(skb, c.at, port, sizeof(port)))
		return decide_query(skb, p, vip);
	return decide_quoted(skb, p, true, index, vip, c.next == IPPROTO_UDP, port);
}

static __always_inline __u32 decide6(struct __sk_buff *skb, struct packet *p, __u32 index, struct vip *vip, __u8 protocol, __u32 room)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return decide_tcp(skb, p, true, index, room);
	case IPPROTO_UDP:
		return decide_udp(skb, p, true, index, room);
	case IPPROTO_ICMPV6:
		return decide_icmp6(skb, p, index, vip);
	}
	return UNTOUCHED;
}

/* What the first fragment's transport is, only its own chain of headers tells: a later one with another extension header may be of any. */
static __always_inline bool decided6(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMPV6 || is_extension(protocol);
}

static __always_inline __u32 decide_fragment6(struct __sk_buff *skb, struct packet *p, __u32 index, struct vip *vip, struct chain *c, __u32 room)
{
	struct datagram d = { .from = p->flow.client, .to = p->flow.vip, .id = c->id, .protocol = IPPROTO_FRAGMENT };
	if (c->offset)
		return decided6(c->next) ? later_fragment(skb, vip, &d, p->all) : UNTOUCHED;
	__u32 verdict = decide6(skb, p, index, vip, c->next, room);
	if (verdict != UNTOUCHED)
		keep_verdict(&d, verdict);
	return verdict;
}

static __noinline int ingress_vip6(struct __sk_buff *skb, struct ipv6hdr *ip, __u32 index)
{
	struct packet packet = { .flow.client = address6(&ip->saddr), .flow.vip = address6(&ip->daddr) }, *p = &packet;
	struct vip *vip = bpf_map_lookup_elem(&vips, &index);
	if (!vip)
		return PASS;
	enum addressed whom = addressed(skb, vip);
	if (whom > TO_ALL)
		return misaddressed(whom);
	p->all = whom == TO_ALL;
	struct chain c = { .at = ETH_HLEN + sizeof(*ip), .next = ip->nexthdr };
	__u32 payload = bpf_ntohs(ip->payload_len), end, verdict;
	bool good = ip->version == 6;
	/* Merged packets above 64 KiB say zero, as those do that end with their header. */
	end = datagram_length(skb, payload || !skb->gso_size ? sizeof(*ip) + payload : 0) + ETH_HLEN;
	if (!good || !step_over(skb, &c) || c.at > end || c.at > HEADERS_MAX - sizeof(struct tcphdr))
		return act(skb, vip, p->all, DROP_MALFORMED);
	p->l4 = c.at;
	if (c.fragmented)
		verdict = decide_fragment6(skb, p, index, vip, &c, end - c.at);
	else
		verdict = decide6(skb, p, index, vip, c.next, end - c.at);
	return verdict == UNTOUCHED ? PASS : act(skb, vip, p->all, verdict);
}

#endif
