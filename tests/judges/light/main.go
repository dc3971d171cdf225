// Judges headers with CometBFT's own light client: one JSON object a line in, one a line out.
//
// {"kind": "verify", "trusted": block, "block": block, "now": RFC 3339, "period_ms": n}: the verdict, and the hashes
// {"kind": "results", "results": [{"code", "data", "gas_wanted", "gas_used"}]}: the root, and each one's path
//
// A block is {"signed_header": as the engine's RPC shows it, "validators": likewise}.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/types"
)

const drift = 10 * time.Second

type block struct {
	SignedHeader *types.SignedHeader `json:"signed_header"`
	Validators   []*types.Validator  `json:"validators"`
}

type result struct {
	Code      uint32 `json:"code"`
	Data      []byte `json:"data"`
	GasWanted int64  `json:"gas_wanted,string"`
	GasUsed   int64  `json:"gas_used,string"`
}

type question struct {
	Kind     string          `json:"kind"`
	Trusted  json.RawMessage `json:"trusted"`
	Block    json.RawMessage `json:"block"`
	Now      time.Time       `json:"now"`
	PeriodMs int64           `json:"period_ms"`
	Results  []result        `json:"results"`
}

type answer struct {
	Accepted   bool       `json:"accepted"`
	Why        string     `json:"why,omitempty"`
	Hash       string     `json:"hash,omitempty"`
	Validators string     `json:"validators,omitempty"`
	Root       string     `json:"root,omitempty"`
	Paths      [][]string `json:"paths,omitempty"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func read(data json.RawMessage) (*types.SignedHeader, *types.ValidatorSet, error) {
	var found block
	must(cmtjson.Unmarshal(data, &found))
	set, err := types.ValidatorSetFromExistingValidators(found.Validators)
	return found.SignedHeader, set, err
}

func verify(asked question) answer {
	trusted, trustedSet, err := read(asked.Trusted)
	must(err)
	header, set, err := read(asked.Block)
	if err != nil {
		return answer{Why: err.Error(), Hash: hex.EncodeToString(header.Header.Hash())}
	}
	found := answer{Hash: hex.EncodeToString(header.Header.Hash()), Validators: hex.EncodeToString(set.Hash())}
	period := time.Duration(asked.PeriodMs) * time.Millisecond
	err = light.Verify(trusted, trustedSet, header, set, period, asked.Now, drift, light.DefaultTrustLevel)
	if found.Accepted = err == nil; err != nil {
		found.Why = err.Error()
	}
	return found
}

func commit(asked question) answer {
	responses := make([]*abci.ExecTxResult, len(asked.Results))
	for i, each := range asked.Results {
		responses[i] = &abci.ExecTxResult{
			Code: each.Code, Data: each.Data, GasWanted: each.GasWanted, GasUsed: each.GasUsed, Log: "not committed",
		}
	}
	results := types.NewResults(responses)
	found := answer{Root: hex.EncodeToString(results.Hash())}
	for i := range responses {
		path := []string{}
		for _, step := range results.ProveResult(i).Aunts {
			path = append(path, hex.EncodeToString(step))
		}
		found.Paths = append(found.Paths, path)
	}
	return found
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var asked question
		must(json.Unmarshal(lines.Bytes(), &asked))
		judge := map[string]func(question) answer{"verify": verify, "results": commit}[asked.Kind]
		said, err := json.Marshal(judge(asked))
		must(err)
		fmt.Println(string(said))
	}
	must(lines.Err())
}
