package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api/render"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/doctor"
)

// maxListen bounds how long `muster doctor` may be told to wait.
const maxListen = 10 * time.Minute

// doctorFlags are those of `muster doctor`.
type doctorFlags struct {
	host   string
	pre    bool
	only   []string
	listen time.Duration
}

// findings is the result as JSON.
type findings struct {
	Host      string             `json:"host"`
	Checked   []string           `json:"checked"` // names of the checks that were made
	Bad       int                `json:"bad"`     // diagnoses that are no notes
	Diagnoses []doctor.Diagnosis `json:"diagnoses"`
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "What is wrong on this host and its network, and what to do about it",
		Long: `Looks whether the configuration can work on this host and its network: secrets, kernel, interfaces, packet sizes, reverse path filter, IGMP
querier, cards of virtual machines, routers; and asks the agent what it has to say. Changes nothing. Exits with 1 if something is wrong; a note
says what works all the same. The checks are ` + strings.Join(doctorChecks(), ", ") + `.`,
		Example: "muster doctor\nmuster doctor --pre --host a\nmuster doctor --only igmp --listen 130s",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.doctor(c, f) },
	}
	c.Flags().StringVar(&f.host, "host", "", "this host's `NAME` in the configuration (default: by the machine's name, then by its addresses)")
	c.Flags().BoolVar(&f.pre, "pre", false, "before the first start: ask no agent, and see whether its port is free")
	c.Flags().StringSliceVar(&f.only, "only", nil, "make only these `CHECKS`")
	c.Flags().DurationVar(&f.listen, "listen", 5*time.Second, "how long to wait for what others send")
	return c
}

func doctorChecks() []string { return append(doctor.Names(), doctor.CheckAgent) }

func (f doctorFlags) check() error {
	for _, name := range f.only {
		if !slices.Contains(doctorChecks(), name) {
			return usagef("there is no check %q: use %s", name, strings.Join(doctorChecks(), ", "))
		}
	}
	if f.listen <= 0 || f.listen > maxListen {
		return usagef("listen for %v: give a time up to %v", f.listen, maxListen)
	}
	return nil
}

func (a *app) doctor(c *cobra.Command, f doctorFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	cfg, err := config.Load(a.config)
	if err != nil {
		return usageError{err}
	}
	name, err := whoAmI(cfg, f.host)
	if err != nil {
		return err
	}
	self, _ := cfg.Host(name)
	facts := doctor.Collect(c.Context(), cfg, self, doctor.Options{Listen: f.listen, Pre: f.pre, Only: f.only})
	list := doctor.Diagnose(cfg, self, facts, f.only...)
	if !f.pre && (len(f.only) == 0 || slices.Contains(f.only, doctor.CheckAgent)) {
		client, err := a.client()
		if err != nil {
			return err
		}
		s, err := client.Status(c.Context())
		list = doctor.AddStatus(list, s, err)
	}
	return a.findings(findings{Host: name, Checked: f.made(), Bad: doctor.Bad(list), Diagnoses: list})
}

// made lists the checks that these flags ask for.
func (f doctorFlags) made() []string {
	return slices.DeleteFunc(doctorChecks(), func(name string) bool {
		return len(f.only) > 0 && !slices.Contains(f.only, name) || f.pre && name == doctor.CheckAgent || !f.pre && name == doctor.CheckPort
	})
}

// findings writes the result; what is wrong is an error.
func (a *app) findings(found findings) error {
	if a.json {
		if err := render.JSON(a.out, found); err != nil {
			return err
		}
	} else {
		w := bufio.NewWriter(a.out)
		writeFindings(w, found)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if found.Bad > 0 {
		return fmt.Errorf("%s on host %s", count(found.Bad, "problem"), found.Host)
	}
	return nil
}

func writeFindings(w io.Writer, found findings) {
	for _, d := range found.Diagnoses {
		kind := "WRONG"
		if d.Note {
			kind = "note "
		}
		fmt.Fprintf(w, "%s  %s: %s\n       do: %s\n", kind, d.About, d.What, d.Remedy)
	}
	fmt.Fprintf(w, "%s checked: %s\n", found.Host, strings.Join(found.Checked, ", "))
	if found.Bad == 0 {
		fmt.Fprintln(w, "Nothing known to be wrong.")
	}
}
