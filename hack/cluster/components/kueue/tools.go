//go:build tools

// Package kueue pins Kueue: importing it makes go.sum complete.
package kueue

import _ "sigs.k8s.io/kueue/cmd/kueue"
