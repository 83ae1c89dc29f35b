package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// etcd is the address of an etcd, which is spoken to through its JSON gateway.
type etcd string

// entry is a key and what is stored under it.
type entry struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// get reads what is stored under the key.
func (e etcd) get(ctx context.Context, key string) (entry, error) {
	var answer struct {
		Entries []entry `json:"kvs"`
	}
	if err := e.post(ctx, "range", entry{Key: []byte(key)}, &answer); err != nil {
		return entry{}, err
	}
	if len(answer.Entries) != 1 {
		return entry{}, fmt.Errorf("etcd holds nothing under %s", key)
	}
	return answer.Entries[0], nil
}

// put stores all entries at once. etcd takes up to 128, of 1.5 MiB together.
func (e etcd) put(ctx context.Context, entries []entry) error {
	type operation struct {
		Put entry `json:"requestPut"`
	}
	var transaction struct {
		Operations []operation `json:"success"`
	}
	for _, entry := range entries {
		transaction.Operations = append(transaction.Operations, operation{entry})
	}
	return e.post(ctx, "txn", transaction, &struct{}{})
}

func (e etcd) post(ctx context.Context, method string, question, answer any) error {
	content, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, string(e)+"/v3/kv/"+method, bytes.NewReader(content))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking etcd: %w", err)
	}
	defer response.Body.Close()
	content, err = io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading etcd's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s: %s", response.Status, content)
	}
	return json.Unmarshal(content, answer)
}
