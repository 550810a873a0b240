/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Muster's filter: one program for what arrives, one for what arrives through the tunnel, one for what leaves. docs/design/0002-filter.md has the decisions. */
#include "groups.h"
#include "through.h"
#include "nd.h"
#include "arp.h"
#include "guard.h"

/* A tag with VLAN 0 carries only a priority; any other belongs to another network than this interface's. */
static __always_inline bool tagged(struct __sk_buff *skb)
{
	return skb->vlan_present && skb->vlan_tci & 0xfff;
}

static __always_inline int ingress_ip4(struct __sk_buff *skb)
{
	struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return PASS;
	__s32 index = find_vip(ip->daddr);
	if (index != NONE)
		return ingress_vip(skb, ip, index);
	return ip->protocol == IPPROTO_IGMP ? heard_igmp(skb) : PASS;
}

static __always_inline int ingress_ip6(struct __sk_buff *skb)
{
	struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return PASS;
	if (ip->nexthdr == IPPROTO_ICMPV6 && is_nd(skb))
		return then_claimed(skb, ingress_nd(skb));
	struct address to = address6(&ip->daddr);
	__s32 index = find_vip6(&to);
	if (index != NONE)
		return ingress_vip6(skb, ip, index);
	return ip->nexthdr == IPPROTO_HOPOPTS || ip->nexthdr == IPPROTO_ICMPV6 ? heard_mld(skb) : PASS;
}

SEC("tc")
int muster_ingress(struct __sk_buff *skb)
{
	if (tagged(skb))
		return PASS;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return ingress_ip4(skb);
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return then_claimed(skb, ingress_arp(skb));
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return ingress_ip6(skb);
	return PASS;
}

SEC("tc")
int muster_tunnel(struct __sk_buff *skb)
{
	return ingress_tunnel(skb);
}

SEC("tc")
int muster_egress(struct __sk_buff *skb)
{
	if (tagged(skb))
		return PASS;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return egress_ip4(skb);
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return egress_arp(skb);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return egress_ip6(skb);
	return PASS;
}

/* The kernel's syncookie check is open to programs under the GPL only; this one may be used under it. */
char LICENSE[] SEC("license") = "GPL";
