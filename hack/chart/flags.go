package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// programFlag is a flag of a program, as its --help says.
type programFlag struct {
	name, kind, usage string
	// standard is the program's default; empty is that of the kind.
	standard string
}

var (
	flagLine     = regexp.MustCompile(`^ {2}-([a-z0-9-]+)(?: ([a-z0-9]+))?(?:\t(.*))?$`)
	flagStandard = regexp.MustCompile(` \(default (.+)\)$`)
)

// withoutValue are flags that a pod has no use for. The program jobtable has rights in the namespace of its pod alone.
var withoutValue = map[string][]string{"manager": {"kubeconfig"}, "server": {"kubeconfig"}, "jobtable": {"kubeconfig", "namespace"}}

// flagsOf asks a program for its flags.
func flagsOf(root, program string) ([]programFlag, error) {
	command := exec.CommandContext(context.Background(), "go", "run", "./cmd/"+program, "--help")
	command.Dir = root
	var errors strings.Builder
	command.Stderr = &errors
	help, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("asking %s for its flags: %w: %s", program, err, errors.String())
	}
	flags := parseHelp(program, string(help))
	if len(flags) < 5 {
		return nil, fmt.Errorf("only %d flags were found in what %s --help says:\n%s", len(flags), program, help)
	}
	return flags, nil
}

// parseHelp reads what the package flag prints: a line with name and kind, then the usage, which further lines continue.
func parseHelp(program, help string) (flags []programFlag) {
	for line := range strings.Lines(help) {
		line = strings.TrimRight(line, "\n")
		if match := flagLine.FindStringSubmatch(line); match != nil {
			flags = append(flags, programFlag{name: match[1], kind: match[2], usage: match[3]})
		} else if strings.HasPrefix(line, "    \t") && len(flags) > 0 {
			last := &flags[len(flags)-1]
			last.usage = strings.TrimSpace(last.usage + " " + strings.TrimSpace(line))
		}
	}
	kept := flags[:0]
	for _, flag := range flags {
		if match := flagStandard.FindStringSubmatch(flag.usage); match != nil {
			flag.standard = match[1]
			flag.usage = strings.TrimSuffix(flag.usage, match[0])
		}
		if !slices.Contains(withoutValue[program], flag.name) {
			kept = append(kept, flag)
		}
	}
	return kept
}

// camelCase is the flag's name among the values. The chart makes the name of the flag from it again.
func (f programFlag) camelCase() string {
	words := strings.Split(f.name, "-")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}
