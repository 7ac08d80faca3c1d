import { Command } from 'commander';

/** What a shell's completion asks: every word that may follow the words before. */
export function completionCommand(): Command {
  return new Command('completion')
    .description('prints a completion script: eval "$(callmesh completion bash)"')
    .argument('<shell>', 'bash, zsh or fish')
    .argument('[words...]', 'asked by the script itself')
    .allowUnknownOption()
    .action((shell: string, words: string[], _, command: Command) => {
      if (shell === 'words') process.stdout.write(`${candidates(command.parent!, words).join('\n')}\n`);
      else if (Object.hasOwn(SCRIPTS, shell)) process.stdout.write(SCRIPTS[shell]!);
      else command.error(`completion: expected bash, zsh or fish, not ${shell}`);
    });
}

/** Subcommands and options of the command that the words lead to. */
export function candidates(root: Command, words: readonly string[]): string[] {
  let command = root;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next) command = next;
  }
  const options = [...new Set([...command.options, ...root.options])].map(({ long }) => long ?? '');
  return [...command.commands.map((each) => each.name()), ...options].filter(Boolean);
}

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_callmesh() {
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  COMPREPLY=($(compgen -W "$(callmesh completion words -- "\${before[@]}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _callmesh callmesh
`,
  zsh: `#compdef callmesh
_callmesh() {
  compadd -- \${(f)"$(callmesh completion words -- \${words[2,CURRENT-1]} 2>/dev/null)"}
}
compdef _callmesh callmesh
`,
  fish: `complete -c callmesh -f -a '(callmesh completion words -- (commandline -opc)[2..] 2>/dev/null)'
`,
};
