/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* IPv4 packets that arrive: read the headers, decide, act. */
#ifndef MUSTER_INGRESS_H
#define MUSTER_INGRESS_H

#include "decide.h"
#include "fragment.h"
#include "frame.h"

static __always_inline bool lower_hop_limit(struct __sk_buff *skb)
{
	__u8 limit;
	__u32 at = ETH_HLEN + offsetof(struct ipv6hdr, hop_limit);
	if (bpf_skb_load_bytes(skb, at, &limit, sizeof(limit)) || limit-- <= 1)
		return false;
	return !bpf_skb_store_bytes(skb, at, &limit, sizeof(limit), 0);
}

/* A packet that goes round between hosts that disagree must end: each host after the first takes one from its TTL. */
static __always_inline bool lower_ttl(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return lower_hop_limit(skb);
	__u16 was, is;
	__u32 at = ETH_HLEN + offsetof(struct iphdr, ttl);
	if (bpf_skb_load_bytes(skb, at, &was, sizeof(was)))
		return false;
	if ((bpf_ntohs(was) >> 8) <= 1)
		return false;
	is = bpf_htons(bpf_ntohs(was) - 0x100);
	return !bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), was, is, sizeof(is)) &&
	       !bpf_skb_store_bytes(skb, at, &is, sizeof(is), 0);
}

/* Sends the frame on to a host of the cluster, from this host's address so that no switch learns a wrong one. */
static __always_inline int forward(struct __sk_buff *skb, struct vip *vip, __u32 verdict)
{
	struct mac_key key = { .ifindex = vip->ifindex, .id = verdict >> 8 & 0xff };
	struct mac *to = bpf_map_lookup_elem(&macs, &key);
	__u8 frame[2 * ETH_ALEN];
	bool far = vip->flags & VIP_TUNNEL;
	if (!far && (!to || vip->ifindex != skb->ifindex)) {
		count(DROP_NO_PEER);
		return TC_ACT_SHOT;
	}
	if (verdict & AGAIN && !lower_ttl(skb)) {
		count(DROP_LOOP);
		return TC_ACT_SHOT;
	}
	if (!to)
		return forward_far(skb, key.id, verdict & 0xff);
	__builtin_memcpy(frame, to->addr, ETH_ALEN);
	__builtin_memcpy(frame + ETH_ALEN, vip->mac, ETH_ALEN);
	if (bpf_skb_store_bytes(skb, 0, frame, sizeof(frame), 0)) {
		count(DROP_NO_PEER);
		return TC_ACT_SHOT;
	}
	count(verdict & 0xff);
	return bpf_redirect(vip->ifindex, 0);
}

/*
 * The stack takes TCP only from frames to its own MAC: one to the cluster's is made to look like that. The owner has such a
 * frame itself, so it is not forwarded to the owner.
 */
static __always_inline int act(struct __sk_buff *skb, struct vip *vip, bool all, __u32 verdict)
{
	__u32 reason = verdict & 0xff;
	if (reason <= LAST_ACCEPT) {
		if (all)
			bpf_skb_change_type(skb, PACKET_HOST);
		count(reason);
		return PASS;
	}
	if (reason <= LAST_FORWARD) {
		if (!all || reason == FORWARD_NEXT || verdict & ALONE)
			return forward(skb, vip, verdict);
		reason = DROP_SEEN_BY_OTHERS;
	}
	count(reason);
	return TC_ACT_SHOT;
}

/* Length of the datagram as its header says. Merged packets above 64 KiB say zero. */
static __always_inline __u32 datagram_length(struct __sk_buff *skb, __u16 total)
{
	__u32 rest = skb->len - ETH_HLEN;
	if (total)
		return total < rest ? total : rest;
	return skb->gso_size ? rest : 0;
}

static __always_inline __u32 decide_tcp(struct __sk_buff *skb, struct packet *p, bool v6, __u32 vip, __u32 room)
{
	bool found = false;
	struct tcphdr *th = header_at(skb, p->l4, sizeof(*th));
	if (!th)
		return DROP_MALFORMED;
	__u32 length = th->doff * 4;
	if (length < sizeof(*th) || length > room)
		return DROP_MALFORMED;
	p->flow.client_port = th->source;
	p->flow.port = th->dest;
	bool new = th->syn && !th->ack;
	p->slot = find_slot(vip, false, &p->flow, v6, &found, &p->at);
	if (!found)
		return DROP_NO_RULE;
	if (new)
		return decide_new(skb, p, v6);
	__u32 verdict = decide_known(skb, p, v6);
	if (p->at.page && (verdict == ACCEPT_OWNER || verdict == ACCEPT_SOCKET))
		note_known(skb, p, v6);
	return verdict;
}

static __always_inline __u32 decide_udp(struct __sk_buff *skb, struct packet *p, bool v6, __u32 vip, __u32 room)
{
	bool found = false;
	struct udphdr *uh = header_at(skb, p->l4, sizeof(*uh));
	if (!uh || room < sizeof(*uh))
		return DROP_MALFORMED;
	p->flow.client_port = uh->source;
	p->flow.port = uh->dest;
	p->slot = find_slot(vip, true, &p->flow, v6, &found, &p->at);
	if (!found)
		return DROP_NO_RULE;
	__u32 verdict = decide_new(skb, p, v6);
	struct client c;
	if (p->at.page && verdict <= LAST_ACCEPT && note_due(p, v6, &c))
		note(&c);
	return verdict;
}

/* The messages about a packet (RFC 1122, section 3.2.2), which they quote behind their header. */
#define ICMP_UNREACHABLE 3
#define ICMP_QUENCH 4
#define ICMP_REDIRECT 5
#define ICMP_EXCEEDED 11
#define ICMP_PARAMETER 12
#define ICMP_HEADER 8

static __always_inline bool quotes(__u8 type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_QUENCH || type == ICMP_REDIRECT || type == ICMP_EXCEEDED || type == ICMP_PARAMETER;
}

/*
 * What belongs to no connection is answered once: by this host if the frame was sent to it alone and, where all hosts have it, by
 * the director. One whose lease has lapsed may have a successor.
 */
static __always_inline __u32 decide_query(struct __sk_buff *skb, struct packet *p, struct vip *vip)
{
	bool here = p->all ? vip->flags & VIP_DIRECTOR && lease_valid() : sender(skb) == NONE;
	return here ? ACCEPT_ICMP : DROP_ICMP;
}

/*
 * An error about a packet that left with the VIP as source belongs to that packet's connection: else the owner would never
 * learn the path's MTU. port is what the packet's transport header begins with.
 */
static __always_inline __u32 decide_quoted(struct __sk_buff *skb, struct packet *p, bool v6, __u32 index, struct vip *vip, bool udp, __be16 *port)
{
	bool found = false;
	p->quoted = true;
	p->flow.client_port = port[1];
	p->flow.port = port[0];
	p->slot = find_slot(index, udp, &p->flow, v6, &found, &p->at);
	if (!found)
		return decide_query(skb, p, vip);
	if (!udp)
		return decide_known(skb, p, v6);
	if (p->at.page)
		return about_client(skb, p, v6);
	if (slot_owner(p->slot) == self())
		return ACCEPT_ICMP;
	return slot_owner(p->slot) != NOBODY && forwarder(skb, p) == NONE ? TO(FORWARD_OWNER, slot_owner(p->slot)) : DROP_ICMP;
}

static __always_inline __u32 decide_icmp(struct __sk_buff *skb, struct packet *p, __u32 index, struct vip *vip)
{
	__u8 type;
	__be16 port[2];
	struct iphdr ip;
	__u32 quote = p->l4 + ICMP_HEADER;
	if (bpf_skb_load_bytes(skb, p->l4, &type, sizeof(type)))
		return DROP_MALFORMED;
	if (!quotes(type))
		return decide_query(skb, p, vip);
	if (bpf_skb_load_bytes(skb, quote, &ip, sizeof(ip)) || ip.saddr != p->flow.vip.word[3] || ip.ihl < 5 ||
	    ip.frag_off & bpf_htons(FRAGMENT_OFFSET) || (ip.protocol != IPPROTO_TCP && ip.protocol != IPPROTO_UDP) ||
	    bpf_skb_load_bytes(skb, quote + ip.ihl * 4, port, sizeof(port)))
		return decide_query(skb, p, vip);
	p->flow.client = mapped(ip.daddr);
	return decide_quoted(skb, p, false, index, vip, ip.protocol == IPPROTO_UDP, port);
}

static __always_inline struct datagram datagram_of(struct iphdr *ip)
{
	struct datagram d = { .from = mapped(ip->saddr), .to = mapped(ip->daddr), .id = ip->id, .protocol = ip->protocol };
	return d;
}

/* Other protocols are none of our business. */
static __always_inline bool decided(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP;
}

static __always_inline __u32 decide(struct __sk_buff *skb, struct packet *p, __u32 index, struct vip *vip, __u8 protocol, __u32 room)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return decide_tcp(skb, p, false, index, room);
	case IPPROTO_UDP:
		return decide_udp(skb, p, false, index, room);
	case IPPROTO_ICMP:
		return decide_icmp(skb, p, index, vip);
	}
	return UNTOUCHED;
}

/* Has a frame of its own on the stack, as the other ways that a packet may take: together they would not fit. docs/design/0002-filter.md. */
static __noinline int ingress_vip(struct __sk_buff *skb, struct iphdr *ip, __u32 index)
{
	struct vip *vip = bpf_map_lookup_elem(&vips, &index);
	if (!vip)
		return PASS;
	enum addressed whom = addressed(skb, vip);
	if (whom > TO_ALL)
		return misaddressed(whom);
	struct datagram d = {};
	struct packet p = { .flow.client = mapped(ip->saddr), .flow.vip = mapped(ip->daddr), .all = whom == TO_ALL };
	__u32 header = ip->ihl * 4, total = datagram_length(skb, bpf_ntohs(ip->tot_len)), verdict;
	__u16 fragment = ip->frag_off & bpf_htons(FRAGMENT_MORE | FRAGMENT_OFFSET);
	__u8 protocol = ip->protocol;
	p.l4 = ETH_HLEN + header;
	if (ip->version != 4 || header < sizeof(*ip) || total < header)
		return act(skb, vip, p.all, DROP_MALFORMED);
	if (fragment)
		d = datagram_of(ip);
	if (fragment & bpf_htons(FRAGMENT_OFFSET))
		return decided(protocol) ? act(skb, vip, p.all, later_fragment(skb, vip, &d, p.all)) : PASS;
	verdict = decide(skb, &p, index, vip, protocol, total - header);
	if (fragment && verdict != UNTOUCHED)
		keep_verdict(&d, verdict);
	return verdict == UNTOUCHED ? PASS : act(skb, vip, p.all, verdict);
}

#endif
