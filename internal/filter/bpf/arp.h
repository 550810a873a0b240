/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* ARP for a VIP: the director answers, nobody else does, and nobody asks in its name. */
#ifndef MUSTER_ARP_H
#define MUSTER_ARP_H

#include "claims.h"
#include "frame.h"

struct arp {
	__be16 hardware, protocol;
	__u8 hardware_size, protocol_size;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__be32 sender;
	__u8 target_mac[ETH_ALEN];
	__be32 target;
} __attribute__((packed));

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ARP_END (ETH_HLEN + sizeof(struct arp))

/* Copies the message. False: not ARP for IPv4 over Ethernet. */
static __always_inline bool read_arp(struct __sk_buff *skb, struct arp *a)
{
	if (bpf_skb_load_bytes(skb, ETH_HLEN, a, sizeof(*a)))
		return false;
	return a->hardware == bpf_htons(1) && a->protocol == bpf_htons(ETH_P_IP) && a->hardware_size == ETH_ALEN &&
	       a->protocol_size == 4;
}

/*
 * Turns the request into its answer and sends it back. The frame comes from this interface's MAC also when the answer names
 * the cluster's: no switch shall learn that.
 */
static __always_inline int answer_arp(struct __sk_buff *skb, struct vip *vip, struct arp *a)
{
	__u8 frame[2 * ETH_ALEN];
	__be32 address = a->target;
	__builtin_memcpy(frame, a->sender_mac, ETH_ALEN);
	__builtin_memcpy(frame + ETH_ALEN, vip->mac, ETH_ALEN);
	a->operation = bpf_htons(ARP_REPLY);
	__builtin_memcpy(a->target_mac, a->sender_mac, ETH_ALEN);
	a->target = a->sender;
	__builtin_memcpy(a->sender_mac, &vip->answer, ETH_ALEN);
	a->sender = address;
	if (bpf_skb_store_bytes(skb, 0, frame, sizeof(frame), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, a, sizeof(*a), 0)) {
		count(ARP_IGNORED);
		return TC_ACT_SHOT;
	}
	count(ARP_ANSWERED);
	return bpf_redirect(skb->ifindex, 0);
}

/* A neighbour that looks whether the VIP still is where it was asks the MAC that it knows: with a cluster MAC, every host. */
static __noinline int ingress_arp(struct __sk_buff *skb)
{
	struct arp a;
	if (!read_arp(skb, &a))
		return PASS;
	struct suspicion *s = suspicion();
	__s32 of = find_vip(a.sender);
	if (s && skb->pkt_type != PACKET_OTHERHOST) {
		s->claim.who.address = mapped(a.sender);
		__builtin_memcpy(s->claim.who.mac, a.sender_mac, ETH_ALEN);
		if (of != NONE || is_own(&s->claim.who.address))
			suspect(skb, s, true, of, ARP_CONFLICT);
	}
	if (of != NONE)
		return PASS;
	__s32 index = find_vip(a.target);
	if (index == NONE || a.operation != bpf_htons(ARP_REQUEST))
		return PASS;
	__u32 at = index;
	struct vip *vip = bpf_map_lookup_elem(&vips, &at);
	if (vip && addressed(skb, vip) == TO_OTHER)
		return PASS;
	if (vip && vip->flags & VIP_DIRECTOR && vip->ifindex == skb->ifindex && lease_valid())
		return answer_arp(skb, vip, &a);
	count(ARP_IGNORED);
	return TC_ACT_SHOT;
}

/* An announcement names the VIP as sender and target; a request with the VIP as sender would move it in the caches. */
static __always_inline int egress_arp(struct __sk_buff *skb)
{
	struct arp a;
	if (!read_arp(skb, &a) || a.operation != bpf_htons(ARP_REQUEST) || a.sender == a.target)
		return PASS;
	if (find_vip(a.sender) == NONE)
		return PASS;
	count(GUARD_ARP);
	return TC_ACT_SHOT;
}

#endif
