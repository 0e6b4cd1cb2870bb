"""Growth curves: tables turned between long and wide, and mixed models written as growth models of SEM software."""
