// Package security tries what a tenant may do against the operator and against other tenants, with a tenant's own rights on a real API
// server. It also tries each policy of config/policies, with the accounts that it is about.
package security

import (
	"os"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/recorded"
)

func TestMain(m *testing.M) {
	os.Exit(apiserver.Run(recorded.While(m, func() client.WithWatch { return apiserver.Client })))
}
