/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Neighbour discovery (RFC 4861) for a VIP: the director answers, nobody else does, and nobody asks in its name. */
#ifndef MUSTER_ND_H
#define MUSTER_ND_H

#include "claims.h"
#include "frame.h"

#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_HOP_LIMIT 255 /* what a router would have lowered: nobody beyond the link can forge a message */
#define ND_SOLICITED 0x40000000
#define ND_OVERRIDE 0x20000000
#define ND_TARGET_MAC 2 /* option: target link-layer address */
#define ND_AT (ETH_HLEN + sizeof(struct ipv6hdr))

/* Messages come in units of 8 bytes. The longest of use, with the options of SEND (RFC 3971), stay below 2 KiB. */
#define ND_UNITS 256

/* A solicitation or advertisement without its options. */
struct nd {
	__u8 type, code;
	__sum16 check;
	__be32 flags;
	struct address target;
};

/* An advertisement with the one option that it needs. */
struct nd_answer {
	struct ipv6hdr ip;
	struct nd nd;
	__u8 option, units;
	__u8 mac[ETH_ALEN];
};

static __always_inline bool is_nd(struct __sk_buff *skb)
{
	__u8 type;
	return !bpf_skb_load_bytes(skb, ND_AT, &type, sizeof(type)) && (type == ND_SOLICITATION || type == ND_ADVERTISEMENT);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The sum of what an ICMPv6 checksum covers besides the message (RFC 8200, 8.1). */
static __always_inline __u64 pseudo_header(struct ipv6hdr *ip, __u32 length)
{
	__u64 sum = bpf_htonl(length + IPPROTO_ICMPV6);
#pragma unroll
	for (int i = 0; i < 4; i++)
		sum += (__u64)ip->saddr.in6_u.u6_addr32[i] + ip->daddr.in6_u.u6_addr32[i];
	return sum;
}

static __always_inline bool intact(struct __sk_buff *skb, struct ipv6hdr *ip)
{
	__u32 words[2], length = bpf_ntohs(ip->payload_len);
	__u64 sum = pseudo_header(ip, length);
	if (length < sizeof(struct nd) || length % sizeof(words) || length > ND_UNITS * sizeof(words))
		return false;
	for (int i = 0; i < ND_UNITS && i * sizeof(words) < length; i++) {
		if (bpf_skb_load_bytes(skb, ND_AT + i * sizeof(words), words, sizeof(words)))
			return false;
		sum += (__u64)words[0] + words[1];
	}
	return fold(sum) == 0xffff;
}

static __always_inline bool unspecified(struct in6_addr *a)
{
	return !(a->in6_u.u6_addr32[0] | a->in6_u.u6_addr32[1] | a->in6_u.u6_addr32[2] | a->in6_u.u6_addr32[3]);
}

/* Copies the message. False: it is none that a node may heed (RFC 4861, 7.1), which is the kernel's business. */
static __always_inline bool read_nd(struct __sk_buff *skb, struct ipv6hdr *ip, struct nd *m)
{
	if (bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(*ip)) || bpf_skb_load_bytes(skb, ND_AT, m, sizeof(*m)))
		return false;
	if (unspecified(&ip->saddr) && ip->daddr.in6_u.u6_addr8[0] != 0xff)
		return false;
	return ip->hop_limit == ND_HOP_LIMIT && m->code == 0 && intact(skb, ip);
}

/* To who asked; to all nodes when he has no address yet and looks for duplicates of the one he wants (RFC 4861, 7.2.4). */
static __always_inline void address_answer(struct nd_answer *a, struct ipv6hdr *ip, __u8 *to)
{
	a->nd.flags = bpf_htonl(ND_OVERRIDE | ND_SOLICITED);
	a->ip.daddr = ip->saddr;
	if (!unspecified(&ip->saddr))
		return;
	a->nd.flags = bpf_htonl(ND_OVERRIDE);
	a->ip.daddr.in6_u.u6_addr32[0] = bpf_htonl(0xff020000);
	a->ip.daddr.in6_u.u6_addr32[3] = bpf_htonl(1);
	__builtin_memcpy(to, (__u8[]){ 0x33, 0x33, 0, 0, 0, 1 }, ETH_ALEN);
}

/*
 * Turns the solicitation into its answer and sends it back. The frame comes from this interface's MAC also when the answer names the cluster's: no
 * switch shall learn that. One without options becomes longer, one with more than one shorter.
 */
static __always_inline int answer_nd(struct __sk_buff *skb, struct vip *vip, struct ipv6hdr *ip, struct nd *m)
{
	__u8 frame[2 * ETH_ALEN];
	struct nd_answer a = { .ip = { .version = 6, .nexthdr = IPPROTO_ICMPV6, .hop_limit = ND_HOP_LIMIT },
			       .nd = { .type = ND_ADVERTISEMENT, .target = m->target }, .option = ND_TARGET_MAC, .units = 1 };
	__u32 length = sizeof(a) - sizeof(a.ip);
	if (bpf_skb_load_bytes(skb, ETH_ALEN, frame, ETH_ALEN))
		return TC_ACT_SHOT;
	address_answer(&a, ip, frame);
	__builtin_memcpy(frame + ETH_ALEN, vip->mac, ETH_ALEN);
	__builtin_memcpy(a.mac, &vip->answer, ETH_ALEN);
	__builtin_memcpy(&a.ip.saddr, &m->target, sizeof(a.ip.saddr));
	a.ip.payload_len = bpf_htons(length);
	__u64 sum = pseudo_header(&a.ip, length);
#pragma unroll
	for (int i = 0; i < length / 4; i++)
		sum += ((__u32 *)&a.nd)[i];
	a.nd.check = ~fold(sum);
	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(a), 0) || bpf_skb_store_bytes(skb, 0, frame, sizeof(frame), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &a, sizeof(a), 0)) {
		count(ND_IGNORED);
		return TC_ACT_SHOT;
	}
	count(ND_ANSWERED);
	return bpf_redirect(skb->ifindex, 0);
}

static __noinline int ingress_nd(struct __sk_buff *skb)
{
	struct ipv6hdr ip;
	struct nd m;
	if (!read_nd(skb, &ip, &m))
		return PASS;
	struct address from = address6(&ip.saddr);
	bool answer = m.type == ND_ADVERTISEMENT;
	look_at_nd(answer);
	if (find_vip6(answer ? &m.target : &from) != NONE)
		return PASS;
	__s32 index = answer ? NONE : find_vip6(&m.target);
	if (index == NONE)
		return PASS;
	__u32 at = index;
	struct vip *vip = bpf_map_lookup_elem(&vips, &at);
	if (vip && addressed(skb, vip) == TO_OTHER)
		return PASS;
	if (vip && vip->flags & VIP_DIRECTOR && vip->ifindex == skb->ifindex && lease_valid())
		return answer_nd(skb, vip, &ip, &m);
	count(ND_IGNORED);
	return TC_ACT_SHOT;
}

/*
 * An advertisement says where the VIP is; a solicitation with the VIP as source would say it too, and move it in the caches. One without a
 * source moves nothing.
 */
static __always_inline int egress_nd(struct __sk_buff *skb)
{
	struct ipv6hdr ip;
	__u8 type;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || bpf_skb_load_bytes(skb, ND_AT, &type, sizeof(type)))
		return PASS;
	struct address from = address6(&ip.saddr);
	if (type != ND_SOLICITATION || find_vip6(&from) == NONE)
		return PASS;
	count(GUARD_ND);
	return TC_ACT_SHOT;
}

#endif
