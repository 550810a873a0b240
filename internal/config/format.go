package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// namePattern is a DNS label in lower case: names appear in host names, file names and metrics.
const (
	namePattern      = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`
	interfacePattern = `^[^/:\s]{1,15}$`
	urlPattern       = `^https?://[^\s]+$`
	hostPattern      = `^[A-Za-z0-9._:\[\]-]{1,255}$`
	pathPattern      = `^.+$`
)

var (
	nameSyntax      = regexp.MustCompile(namePattern)
	interfaceSyntax = regexp.MustCompile(interfacePattern)
	hostSyntax      = regexp.MustCompile(hostPattern)
)

// formatFlaw says what is wrong with a text of a format (field.format).
func formatFlaw(format, s string) *flaw {
	switch format {
	case "name":
		return nameFlaw(s)
	case "path":
		return pathFlaw(s)
	case "url":
		return urlFlaw(s)
	case "interface":
		if !interfaceSyntax.MatchString(s) || s == "." || s == ".." || strings.ContainsFunc(s, unicode.IsControl) {
			return &flaw{quote(s) + " is not the name of a network interface", "write a name of `ip link`, at most 15 characters, for example `eth0`"}
		}
	case "host":
		if !hostSyntax.MatchString(s) {
			return &flaw{quote(s) + " cannot be a Host header", "write a host name with an optional port, for example `www.shop.lab`"}
		}
	}
	return nil
}

func nameFlaw(s string) *flaw {
	if nameSyntax.MatchString(s) {
		return nil
	}
	remedy := "use lower-case letters, digits and hyphens, at most 63, with no hyphen at either end"
	if lower := strings.ToLower(s); nameSyntax.MatchString(lower) {
		remedy = "write `" + lower + "`"
	}
	return &flaw{quote(s) + " cannot be a name", remedy}
}

func pathFlaw(s string) *flaw {
	const longest = 4095 // PATH_MAX less its NUL
	if s == "" || len(s) > longest || strings.ContainsFunc(s, unicode.IsControl) {
		return &flaw{quote(s) + " cannot be a path", "write a path without control characters, at most 4095 bytes"}
	}
	return nil
}

func urlFlaw(s string) *flaw {
	const longest = 2048
	u, err := url.Parse(s)
	if err != nil || len(s) > longest || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		return &flaw{quote(s) + " is not an HTTP URL", "write for example `http://127.0.0.1/health`"}
	}
	if u.User != nil {
		return &flaw{"the URL holds a user name or password, and secrets do not belong in this file", "remove the part before `@`"}
	}
	if n, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || n < 1 || n > 65535) {
		return &flaw{quote(s) + " has a port that is out of range", "write a port from 1 to 65535"}
	}
	return nil
}

// choiceFlaw says what is wrong with a value of which there are only a few.
func choiceFlaw(f field, s string) *flaw {
	for _, e := range f.enum {
		if e == s {
			return nil
		}
	}
	for _, u := range f.unsupported {
		if u == s {
			return &flaw{fmt.Sprintf("%s `%s` is not supported by this version", f.key, s), "use " + ticked(f.enum)}
		}
	}
	if c := closest(s, f.enum); c != "" {
		return &flaw{fmt.Sprintf("unknown %s %s", f.key, quote(s)), "did you mean `" + c + "`?"}
	}
	return &flaw{fmt.Sprintf("unknown %s %s", f.key, quote(s)), "use " + ticked(f.enum)}
}

func ticked(words []string) string {
	t := make([]string, len(words))
	for i, w := range words {
		t[i] = "`" + w + "`"
	}
	return alternatives(t)
}

// boundsFlaw says when a number or a time is outside the field's min and max.
func boundsFlaw(f field, v any) *flaw {
	if f.min == "" {
		return nil
	}
	var outside bool
	noun := "number"
	switch v := v.(type) {
	case int:
		outside = v < atoi(f.min) || v > atoi(f.max)
	case time.Duration:
		noun = "time"
		outside = v < duration(f.min) || v > duration(f.max)
	}
	if !outside {
		return nil
	}
	return &flaw{fmt.Sprintf("%s %v is out of range", f.key, v), fmt.Sprintf("write a %s from %s to %s", noun, f.min, f.max)}
}

// atoi reads a number of a tag. A tag that is not one is found by TestTagsAreSound.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// duration reads a time of a tag.
func duration(s string) time.Duration {
	d, _ := time.ParseDuration(s)
	return d
}
