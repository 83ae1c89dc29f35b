package pki

import (
	"encoding/base64"
	"fmt"
)

// Kubeconfig is a kubeconfig file for one user, with everything it needs inside.
func Kubeconfig(server, user string, ca []byte, pair Pair) []byte {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: testrun
clusters:
- name: testrun
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %q
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: testrun
  context:
    cluster: testrun
    user: %q
`, server, b64(ca), user, b64(pair.Cert), b64(pair.Key), user)
}
