/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What comes through the tunnel: from hosts of the cluster, for a VIP, or nothing. The device is no way into this host. */
#ifndef MUSTER_THROUGH_H
#define MUSTER_THROUGH_H

#include "ingress6.h"

static __always_inline int not_from_host(void)
{
	count(TUNNEL_STRANGER);
	return TC_ACT_SHOT;
}

static __always_inline int through_ip4(struct __sk_buff *skb)
{
	struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return not_from_host();
	__s32 index = find_vip(ip->daddr);
	return index == NONE ? not_from_host() : ingress_vip(skb, ip, index);
}

static __always_inline int through_ip6(struct __sk_buff *skb)
{
	/* Else the compiler lets both families share the address of a field of skb, and the verifier takes only skb itself. */
	asm volatile("" : "+r"(skb));
	struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return not_from_host();
	struct address to = address6(&ip->daddr);
	__s32 index = find_vip6(&to);
	return index == NONE ? not_from_host() : ingress_vip6(skb, ip, index);
}

static __always_inline int ingress_tunnel(struct __sk_buff *skb)
{
	if (!from_host(skb))
		return not_from_host();
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return through_ip4(skb);
	return skb->protocol == bpf_htons(ETH_P_IPV6) ? through_ip6(skb) : not_from_host();
}

#endif
