/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The accelerator: drops in the driver, before the kernel has made anything of a frame, what the filter would drop later at many times
 * the cost. It changes nothing, and whatever it does not recognise at once is left to the filter: without it the same packets are
 * dropped and the same reasons counted. docs/design/0017-odd-packets.md.
 */
#include "common.h"

/* No reason to drop: the filter decides. */
#define KEEP REASONS
#define NOT_OURS (REASONS + 1)

#define KNOWN_FLAGS (SLOT_OWN | SLOT_ASK | SLOT_LAST | SLOT_QUORUM_MASK << SLOT_QUORUM_SHIFT | SLOT_REFUSED)

/* A packet with its headers found. */
struct early {
	struct flow flow;
	__u32 vip;
	__u32 l4;   /* offset of the transport header */
	__u32 room; /* what the datagram holds from there on */
	bool all;   /* every host has the frame */
};

static __always_inline void *at(struct xdp_md *ctx, __u32 offset, __u32 size)
{
	void *p = DATA(ctx) + (offset & (HEADERS_MAX - 1));
	asm volatile("" : "+r"(p));
	return p + size > END(ctx) ? NULL : p;
}

static __always_inline bool sent_by_host(struct xdp_md *ctx)
{
	struct peer_key key = { .ifindex = ctx->ingress_ifindex };
	struct ethhdr *eth = at(ctx, 0, sizeof(*eth));
	if (!eth)
		return false;
	__builtin_memcpy(key.mac, eth->h_source, ETH_ALEN);
	return bpf_map_lookup_elem(&peers, &key);
}

/* See decide_new. */
static __always_inline __u32 refuse_new(struct xdp_md *ctx, struct early *e, __u32 slot)
{
	__u32 owner = slot_owner(slot), flags = slot_flags(slot);
	if (flags & SLOT_OWN)
		return may_accept(slot) ? KEEP : DROP_LEASE;
	if (owner == NOBODY)
		return flags & SLOT_REFUSED ? DROP_REFUSED : DROP_NOBODY;
	if (owner == self() || (!e->all && sent_by_host(ctx)))
		return DROP_NOT_OWNED;
	if (!lease_valid())
		return DROP_LEASE;
	return e->all ? DROP_SEEN_BY_OTHERS : KEEP;
}

/* See decide_known: what needs no look at sockets, where all have the frame. */
static __always_inline __u32 refuse_known(struct early *e, __u32 slot)
{
	__u32 owner = slot_owner(slot);
	if (!e->all || slot_flags(slot) & SLOT_ASK || owner == self() || owner == NOBODY)
		return KEEP;
	return DROP_SEEN_BY_OTHERS;
}

static __always_inline __u32 refuse(struct xdp_md *ctx, struct early *e, bool v6, bool udp)
{
	bool found = false, known = false;
	struct place remembers = {};
	if (udp) {
		struct udphdr *uh = at(ctx, e->l4, sizeof(*uh));
		if (!uh || e->room < sizeof(*uh))
			return KEEP;
		e->flow.client_port = uh->source;
		e->flow.port = uh->dest;
	} else {
		struct tcphdr *th = at(ctx, e->l4, sizeof(*th));
		if (!th || th->doff * 4 < sizeof(*th) || th->doff * 4 > e->room)
			return KEEP;
		e->flow.client_port = th->source;
		e->flow.port = th->dest;
		known = !th->syn || th->ack;
	}
	__u32 slot = find_slot(e->vip, udp, &e->flow, v6, &found, &remembers);
	if (!found)
		return DROP_NO_RULE;
	if (remembers.page || slot_flags(slot) & ~KNOWN_FLAGS)
		return KEEP;
	return known ? refuse_known(e, slot) : refuse_new(ctx, e, slot);
}

/* See addressed. The kernel has not yet compared the frame with the interface's own MAC. */
static __always_inline __u32 misaddressed(struct xdp_md *ctx, struct early *e)
{
	struct vip *vip = bpf_map_lookup_elem(&vips, &e->vip);
	struct ethhdr *eth = at(ctx, 0, sizeof(*eth));
	__u64 to = 0, own = 0;
	if (!vip || !eth || vip->ifindex != ctx->ingress_ifindex)
		return NOT_OURS;
	__builtin_memcpy(&to, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(&own, vip->mac, ETH_ALEN);
	if (to == own)
		return KEEP;
	if (to && (to == vip->taken[0] || to == vip->taken[1])) {
		e->all = true;
		return KEEP;
	}
	return eth->h_dest[0] & 1 ? DROP_FRAME : NOT_OURS;
}

static __always_inline __u32 early_ip4(struct xdp_md *ctx, __u32 length)
{
	struct early e = {};
	struct iphdr *ip = at(ctx, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return KEEP;
	__s32 index = find_vip(ip->daddr);
	if (index == NONE)
		return KEEP;
	e.vip = index;
	__u32 verdict = misaddressed(ctx, &e), header = ip->ihl * 4, total = bpf_ntohs(ip->tot_len);
	if (verdict != KEEP)
		return verdict;
	if (total > length)
		total = length;
	if (ip->version != 4 || header < sizeof(*ip) || total < header || ip->frag_off & bpf_htons(FRAGMENT_MORE | FRAGMENT_OFFSET) ||
	    (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return KEEP;
	e.flow.client = mapped(ip->saddr);
	e.flow.vip = mapped(ip->daddr);
	e.l4 = ETH_HLEN + header;
	e.room = total - header;
	return refuse(ctx, &e, false, ip->protocol == IPPROTO_UDP);
}

/* Packets with extension headers are the filter's. */
static __always_inline __u32 early_ip6(struct xdp_md *ctx, __u32 length)
{
	struct early e = {};
	struct ipv6hdr *ip = at(ctx, ETH_HLEN, sizeof(*ip));
	if (!ip || (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP))
		return KEEP;
	e.flow.client = address6(&ip->saddr);
	e.flow.vip = address6(&ip->daddr);
	__s32 index = find_vip6(&e.flow.vip);
	if (index == NONE)
		return KEEP;
	e.vip = index;
	__u32 verdict = misaddressed(ctx, &e), total = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (verdict != KEEP)
		return verdict;
	if (total > length)
		total = length;
	if (ip->version != 6 || total < sizeof(*ip))
		return KEEP;
	e.l4 = ETH_HLEN + sizeof(*ip);
	e.room = total - sizeof(*ip);
	return refuse(ctx, &e, true, ip->nexthdr == IPPROTO_UDP);
}

SEC("xdp.frags")
int muster_early(struct xdp_md *ctx)
{
	__u32 verdict = KEEP, length = bpf_xdp_get_buff_len(ctx);
	struct ethhdr *eth = at(ctx, 0, sizeof(*eth));
	if (!eth || length < ETH_HLEN)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		verdict = early_ip4(ctx, length - ETH_HLEN);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		verdict = early_ip6(ctx, length - ETH_HLEN);
	if (verdict >= REASONS)
		return XDP_PASS;
	count(verdict);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
