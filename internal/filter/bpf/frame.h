/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* To whom a frame is addressed: docs/design/0013-delivery.md. Only the frame is asked, not how the cluster says that clients should send. */
#ifndef MUSTER_FRAME_H
#define MUSTER_FRAME_H

#include "common.h"

/* From TO_OTHER on it is not for this host. */
enum addressed {
	TO_SELF,   /* this interface alone */
	TO_ALL,	   /* one of the VIP's cluster MACs: every host has the frame */
	TO_OTHER,  /* another machine's MAC: a switch flooded it and we listen to everything */
	TO_NOBODY, /* broadcast or multicast, and not for the VIP */
};

/* The frame's destination as a word of struct vip. */
static __always_inline __u64 destination(struct __sk_buff *skb)
{
	struct ethhdr *eth = DATA(skb);
	__u64 word = 0;
	if ((void *)(eth + 1) <= END(skb))
		__builtin_memcpy(&word, eth->h_dest, ETH_ALEN);
	return word;
}

/* The kernel has compared the frame with the interface's own MAC already, so that the usual case costs one comparison. */
static __always_inline enum addressed addressed(struct __sk_buff *skb, struct vip *vip)
{
	if (skb->pkt_type == PACKET_HOST)
		return TO_SELF;
	__u64 to = destination(skb);
	if (to && vip->ifindex == skb->ifindex && (to == vip->taken[0] || to == vip->taken[1]))
		return TO_ALL;
	return skb->pkt_type == PACKET_OTHERHOST ? TO_OTHER : TO_NOBODY;
}

/* What becomes of a frame that is not for this host. */
static __always_inline int misaddressed(enum addressed whom)
{
	if (whom == TO_OTHER)
		return PASS; /* another host's business */
	count(DROP_FRAME);
	return TC_ACT_SHOT;
}

#endif
