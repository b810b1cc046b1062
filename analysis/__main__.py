"""python -m analysis RUN_DIR...

Worker processes import this file again, so it imports nothing before it is the program.
"""

if __name__ == "__main__":
    from dcvae.utils.errors import ended_by_interrupts

    with ended_by_interrupts():
        from analysis.cli import main
    main()
