package runner

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The variables that tell a test which execution it is. They are those of v1alpha1: the runner does without Kubernetes' packages.
const (
	EnvName      = "TESTRUN_NAME"
	EnvNamespace = "TESTRUN_NAMESPACE"
	EnvUID       = "TESTRUN_UID"
	EnvAttempt   = "TESTRUN_ATTEMPT"
	// EnvResults names the variable that holds the folder for JUnit files.
	EnvResults = "TESTRUN_RESULTS"
	// EnvArtifacts names the variable that holds the folder for files that are kept. There is one only where there is an archive.
	EnvArtifacts = "TESTRUN_ARTIFACTS"
)

// Identity is which execution a test is: an attempt, counted from 1, of a run.
type Identity struct {
	Namespace, Name, UID string
	Attempt              int32
}

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// Variables tell the test its identity.
func (i Identity) Variables() []Variable {
	return []Variable{{EnvName, i.Name}, {EnvNamespace, i.Namespace}, {EnvUID, i.UID}, {EnvAttempt, strconv.Itoa(int(i.Attempt))}}
}

// ResultsDir is the folder for JUnit files, which the runner makes. It is not an emptyDir, because kubectl drain would refuse the pod: see
// docs/decisions/results.md. Each attempt has a folder of its own, because /tmp may be a volume that others see too.
func (i Identity) ResultsDir() string { return fmt.Sprintf("/tmp/testrun-%s-%d", i.UID, i.Attempt) }

// ArtifactsDir is the folder for files that are kept, beside that for JUnit files and made like it.
func (i Identity) ArtifactsDir() string { return i.ResultsDir() + "-artifacts" }

// String is the identity as one argument, NAMESPACE/NAME/UID/ATTEMPT; empty if there is none.
func (i Identity) String() string {
	if i == (Identity{}) {
		return ""
	}
	return fmt.Sprintf("%s/%s/%s/%d", i.Namespace, i.Name, i.UID, i.Attempt)
}

// Set reads what String wrote.
func (i *Identity) Set(text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return errors.New("it is NAMESPACE/NAME/UID/ATTEMPT")
	}
	attempt, err := strconv.ParseInt(parts[3], 10, 32)
	if err != nil || attempt < 1 {
		return fmt.Errorf("the attempt is %q: it is a number, counted from 1", parts[3])
	}
	*i = Identity{parts[0], parts[1], parts[2], int32(attempt)}
	return nil
}

// identityFlag begins the argument that Args writes and IdentityIn reads.
const identityFlag = "--identity="

// IdentityIn finds the identity in the command of a container, as Args wrote it. There is none if the container does not run the runner.
func IdentityIn(command []string) (Identity, bool) {
	if len(command) < 2 || command[1] != Run {
		return Identity{}, false
	}
	for _, arg := range command[2:] {
		if arg == "--" {
			break
		}
		if text, ok := strings.CutPrefix(arg, identityFlag); ok {
			var identity Identity
			err := identity.Set(text)
			return identity, err == nil
		}
	}
	return Identity{}, false
}
