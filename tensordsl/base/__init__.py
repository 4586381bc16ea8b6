"""What every room needs: errors, options, the version, and facts of the process.

Comes in   the environment, rc files, what the system says of the process and its processor.
Goes out   exception classes, `config`, small tools; nothing here knows of tensors.
Modules    errors        exceptions of our own, and checks of flags;   refusals   whose name a refusal bears
           config        options: `config.floatX`, `change_flags`
           records       `@record`: classes of plain data that are made quickly
           upper         what lower rooms need of upper ones, by name;   late   functions of modules that are loaded
                         at the first call
           theano_options  options of Theano's that do nothing here
           theano_names  Theano's modules as a table;   aliases    makes a module of a row when it is imported
           missing       what an error says for a name that is not here;   no_effect   names that do nothing here
           foreign_names names of JAX, PyTorch, ... and what there is instead
           processor     the processor that code is compiled for;   limits   memory that the process may have
           stacks        calls on a larger stack;   forks   what a fork waits for;   digests   names of what is kept
           version       the version, stated once
Uses       nothing of ours.
Used by    everything.
Begin with `config` and `errors`.
"""
