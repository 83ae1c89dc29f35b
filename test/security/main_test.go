// Package security tries what a tenant may do against the operator and against other tenants, with a tenant's own rights on a real API
// server. It also tries each policy of config/policies, with the accounts that it is about.
package security

import (
	"os"
	"testing"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestMain(m *testing.M) { os.Exit(apiserver.Run(m)) }
