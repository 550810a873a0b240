/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Who says that he is in a VIP's group, or leaves it: by IGMP (RFC 2236, RFC 3376) or MLD (RFC 2710, RFC 3810). The groups are the hosts', so a
 * stranger who speaks of one is mistaken or forges. He is counted, and what he says goes on to the kernel as it came: nothing here depends on it.
 * Who asks (a querier) is a stranger, and right.
 */
#ifndef MUSTER_GROUPS_H
#define MUSTER_GROUPS_H

#include "ingress6.h"

#define IGMP_REPORT1 0x12
#define IGMP_REPORT2 0x16
#define IGMP_LEAVE 0x17
#define IGMP_REPORT3 0x22
#define MLD_REPORT1 131
#define MLD_DONE 132
#define MLD_REPORT2 143

/* Where messages about one group have it, and where reports about several have their records. */
#define IGMP_GROUP 4
#define MLD_GROUP 8
#define RECORDS_AT 8

/* How many records of a report are looked at: each may cost a walk through all VIPs, and anybody can send reports. */
#define RECORDS 16

/* What is said of a group. Behind it come the group's sources, and words of something else. */
struct record4 {
	__u8 type, words;
	__be16 sources;
	__be32 group;
};

struct record6 {
	__u8 type, words;
	__be16 sources;
	struct address group;
};

/* The MAC of a group as a word of struct vip, where it may be one of a VIP; else 0. Same as Of in package delivery. */
static __always_inline __u64 group_mac(struct address *group, bool v6)
{
	__u64 word = 0;
	__u8 *mac = (__u8 *)&word, *last = (__u8 *)&group->word[3];
	struct address six = { .word = { bpf_htonl(0xff150000), 0, bpf_htonl(0xbf), group->word[3] } };
	if (v6 && same(group, &six)) {
		mac[0] = mac[1] = 0x33;
		__builtin_memcpy(mac + 2, last, sizeof(group->word[3]));
	}
	if (!v6 && last[0] == 239 && last[1] == 255)
		__builtin_memcpy(mac, (__u8[]){ 1, 0, 0x5e, 0x7f, last[2], last[3] }, ETH_ALEN);
	return word;
}

/*
 * Whether an interface has a VIP with the group, whose halves are two arguments, and it is not the interface itself that speaks. The function is global,
 * and takes numbers only, so that the verifier goes through it once and not for each record of a report.
 */
__noinline int has_group(__u32 ifindex, __u64 first, __u64 second, int v6, __u64 speaker)
{
	struct address group;
	__u64 own = 0;
	__builtin_memcpy(&group.word[0], &first, sizeof(first));
	__builtin_memcpy(&group.word[2], &second, sizeof(second));
	__u64 mac = group_mac(&group, v6);
	for (__u32 i = 0; mac && i < MAX_VIPS; i++) {
		__u32 index = i;
		struct vip *vip = bpf_map_lookup_elem(&vips, &index);
		if (!vip || vip->ifindex != ifindex || (vip->taken[0] != mac && vip->taken[1] != mac))
			continue;
		__builtin_memcpy(&own, vip->mac, ETH_ALEN);
		return speaker != own;
	}
	return 0;
}

static __always_inline bool is_ours(struct __sk_buff *skb, struct address group, bool v6, __u64 speaker)
{
	__u64 half[2];
	__builtin_memcpy(half, &group, sizeof(half));
	return has_group(skb->ifindex, half[0], half[1], v6, speaker);
}

/* How many records a report says that it has. */
static __always_inline __u32 records(struct __sk_buff *skb, __u32 at)
{
	__be16 n;
	return bpf_skb_load_bytes(skb, at + RECORDS_AT - sizeof(n), &n, sizeof(n)) ? 0 : bpf_ntohs(n);
}

/* Whether one of the records of a report, which is between two offsets, is about a group of ours. */
static __always_inline bool lists_ours4(struct __sk_buff *skb, __u32 at, __u32 end, __u64 speaker)
{
	struct record4 r;
	__u32 n = records(skb, at);
	at += RECORDS_AT;
	for (__u32 i = 0; i < RECORDS && i < n && at + sizeof(r) <= end; i++) {
		if (bpf_skb_load_bytes(skb, at, &r, sizeof(r)))
			return false;
		if (is_ours(skb, mapped(r.group), false, speaker))
			return true;
		at += sizeof(r) + bpf_ntohs(r.sources) * sizeof(__be32) + r.words * sizeof(__be32);
	}
	return false;
}

static __always_inline bool lists_ours6(struct __sk_buff *skb, __u32 at, __u32 end, __u64 speaker)
{
	struct record6 r;
	__u32 n = records(skb, at);
	at += RECORDS_AT;
	for (__u32 i = 0; i < RECORDS && i < n && at + sizeof(r) <= end; i++) {
		if (bpf_skb_load_bytes(skb, at, &r, sizeof(r)))
			return false;
		if (is_ours(skb, r.group, true, speaker))
			return true;
		at += sizeof(r) + bpf_ntohs(r.sources) * sizeof(r.group) + r.words * sizeof(__be32);
	}
	return false;
}

/* Whether a message that begins at an offset speaks of a group of ours. */
static __always_inline bool speaks_of_ours4(struct __sk_buff *skb, __u32 at, __u32 end, __u64 speaker)
{
	__u8 type;
	__be32 group;
	if (at + RECORDS_AT > end || bpf_skb_load_bytes(skb, at, &type, sizeof(type)))
		return false;
	if (type == IGMP_REPORT3)
		return lists_ours4(skb, at, end, speaker);
	if ((type != IGMP_REPORT1 && type != IGMP_REPORT2 && type != IGMP_LEAVE) || bpf_skb_load_bytes(skb, at + IGMP_GROUP, &group, sizeof(group)))
		return false;
	return is_ours(skb, mapped(group), false, speaker);
}

static __always_inline bool speaks_of_ours6(struct __sk_buff *skb, __u32 at, __u32 end, __u64 speaker)
{
	__u8 type;
	struct address group;
	if (at + RECORDS_AT > end || bpf_skb_load_bytes(skb, at, &type, sizeof(type)))
		return false;
	if (type == MLD_REPORT2)
		return lists_ours6(skb, at, end, speaker);
	if ((type != MLD_REPORT1 && type != MLD_DONE) || at + MLD_GROUP + sizeof(group) > end || bpf_skb_load_bytes(skb, at + MLD_GROUP, &group, sizeof(group)))
		return false;
	return is_ours(skb, group, true, speaker);
}

/* Who sent the frame, as a word, or 0 where he may say what he likes: a host of the cluster, or whoever sends to another machine. */
static __always_inline __u64 stranger(struct __sk_buff *skb)
{
	__u64 mac = 0;
	if (skb->pkt_type == PACKET_OTHERHOST || sender(skb) != NONE)
		return 0;
	return bpf_skb_load_bytes(skb, ETH_ALEN, &mac, ETH_ALEN) ? 0 : mac;
}

static __noinline int heard_igmp(struct __sk_buff *skb)
{
	struct iphdr ip;
	__u64 speaker = stranger(skb);
	if (!speaker || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.frag_off & bpf_htons(FRAGMENT_MORE | FRAGMENT_OFFSET))
		return PASS;
	if (speaks_of_ours4(skb, ETH_HLEN + ip.ihl * 4, ETH_HLEN + bpf_ntohs(ip.tot_len), speaker))
		count(IGMP_STRANGER);
	return PASS;
}

/* Messages have a hop-by-hop header with an alert for routers before them. Linux heeds those without it too. */
static __noinline int heard_mld(struct __sk_buff *skb)
{
	struct ipv6hdr ip;
	__u64 speaker = stranger(skb);
	if (!speaker || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return PASS;
	__u32 at = ETH_HLEN + sizeof(ip), end = at + bpf_ntohs(ip.payload_len);
	if (ip.nexthdr == IPPROTO_HOPOPTS) {
		struct extension x;
		if (bpf_skb_load_bytes(skb, at, &x, sizeof(x)))
			return PASS;
		ip.nexthdr = x.next;
		at += (x.length + 1) * 8;
	}
	if (ip.nexthdr == IPPROTO_ICMPV6 && speaks_of_ours6(skb, at, end, speaker))
		count(MLD_STRANGER);
	return PASS;
}

#endif
