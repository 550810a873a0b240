package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

var target = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

func main() {
	// Go's own fuzzing sometimes takes the end of a time for a failure; the end of a number it does not.
	each := flag.String("time", "20000x", "how long to run each target, as go test's -fuzztime: a number of runs (20000x) or a time (5s)")
	flag.Parse()
	if err := run(*each); err != nil {
		fmt.Fprintln(os.Stderr, "fuzzall:", err)
		os.Exit(1)
	}
}

// run finds the targets below the working directory and runs them.
func run(each string) error {
	count := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllSubmatch(src, -1) {
			count++
			if err := fuzz("./"+filepath.Dir(path), string(m[1]), each); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if count == 0 {
		return fmt.Errorf("no fuzz target found: run it at the root of the repository")
	}
	fmt.Printf("fuzzall: %d targets, %s each\n", count, each)
	return nil
}

func fuzz(pkg, name string, each string) error {
	cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+name+"$", "-fuzztime", each, pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s in %s: %w\n%s", name, pkg, err, out)
	}
	fmt.Printf("%s %s ok\n", pkg, name)
	return nil
}
