package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// completeHosts offers the names of hosts to the shell, as far as an agent answers.
func (a *app) completeHosts(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeHostFlag(c, args, "")
}

// completeHostFlag is completeHosts for the value of a flag, which may stand behind arguments.
func (a *app) completeHostFlag(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := a.askStatus(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return statusHosts(s), cobra.ShellCompDirectiveNoFileComp
}

// completeRules offers every rule by its first port.
func (a *app) completeRules(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := a.askStatus(c)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var rules []string
	for _, v := range s.VIPs {
		for _, r := range v.Rules {
			port, _, _ := strings.Cut(r.Ports, ",")
			port, _, _ = strings.Cut(port, "-")
			text := fmt.Sprintf("%s:%s", v.Name, port)
			if r.Protocol == "udp" {
				text += "/udp"
			}
			rules = append(rules, text)
		}
	}
	return rules, cobra.ShellCompDirectiveNoFileComp
}
