package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	docsPath  = "../../docs/cli.md"
	docsBegin = "<!-- from here on written by `go test ./cmd/muster -update` -->\n"
)

// runnable lists the commands that do something, in the order of the help.
func runnable(c *cobra.Command) []*cobra.Command {
	var found []*cobra.Command
	for _, child := range c.Commands() {
		if child.Hidden || child.Name() == "help" || child.Name() == "completion" {
			continue
		}
		if child.HasSubCommands() {
			found = append(found, runnable(child)...)
			continue
		}
		found = append(found, child)
	}
	return found
}

// overview is a table of all commands, then each with its text, its flags and an example.
func overview() string {
	var b strings.Builder
	all := runnable(newRoot(io.Discard, io.Discard))
	b.WriteString("\n| command | what it does |\n|---|---|\n")
	for _, c := range all {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", useLine(c), anchor(c), c.Short)
	}
	for _, c := range all {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.CommandPath(), text(c))
		if flags := flagTable(c); flags != "" {
			b.WriteString("\n" + flags)
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", c.Example)
		}
	}
	return b.String()
}

func useLine(c *cobra.Command) string {
	return strings.TrimSpace(strings.TrimSuffix(c.UseLine(), "[flags]"))
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func text(c *cobra.Command) string {
	if c.Long != "" {
		return strings.TrimSpace(c.Long)
	}
	return c.Short + "."
}

func flagTable(c *cobra.Command) string {
	var b strings.Builder
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "false" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace(name+" "+kind), usage)
	})
	if b.Len() == 0 {
		return ""
	}
	return "| flag | |\n|---|---|\n" + b.String()
}

func TestDocsAreCurrent(t *testing.T) {
	have, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	prose, generated, found := strings.Cut(string(have), docsBegin)
	if !found {
		t.Fatalf("%s has no line %q", docsPath, docsBegin)
	}
	want := overview()
	if *update {
		write(t, docsPath, prose+docsBegin+want)
		return
	}
	if generated != want {
		t.Errorf("%s is not current: run `go test ./cmd/muster -update`", docsPath)
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	all := runnable(newRoot(io.Discard, io.Discard))
	if len(all) < 10 {
		t.Fatalf("found %d commands: the walk is broken", len(all))
	}
	for _, c := range all {
		// The commands of package labcmd run as they are, without an example.
		ours := !strings.HasPrefix(c.CommandPath(), "muster lab") && c.Name() != "demo"
		if c.Short == "" || ours && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no short text, or no example that shows it", c.CommandPath())
		}
		if strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short text ends with a full stop", c.CommandPath())
		}
		if c.Args == nil {
			t.Errorf("%s takes any arguments", c.CommandPath())
		}
	}
}
