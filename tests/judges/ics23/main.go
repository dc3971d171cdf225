// Judges ICS-23 proofs with cosmos/ics23's own verifier: one JSON object a line in, "accept" or "refuse" a line out.
//
// {"spec": "iavl" or "tendermint", "root": hex, "proof": hex, "key": hex, "value": hex, or null for absence}
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	ics23 "github.com/cosmos/ics23/go"
)

type question struct {
	Spec, Root, Proof, Key string
	Value                  *string
}

func bytesOf(text string) []byte {
	data, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

func accepted(asked question) bool {
	spec, known := map[string]*ics23.ProofSpec{"iavl": ics23.IavlSpec, "tendermint": ics23.TendermintSpec}[asked.Spec]
	if !known {
		panic("unknown spec " + asked.Spec)
	}
	var proof ics23.CommitmentProof
	if err := proof.Unmarshal(bytesOf(asked.Proof)); err != nil {
		return false
	}
	root, key := bytesOf(asked.Root), bytesOf(asked.Key)
	if asked.Value == nil {
		return ics23.VerifyNonMembership(spec, root, &proof, key)
	}
	return ics23.VerifyMembership(spec, root, &proof, key, bytesOf(*asked.Value))
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		if accepted(asked) {
			fmt.Println("accept")
		} else {
			fmt.Println("refuse")
		}
	}
}
